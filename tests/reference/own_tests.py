"""The reference's own tests, with its worker or with ours."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reference.kit import PROTOCOL, Kit, environment

INTEGRATION = ("exit-reasons", "integration", "runs", "server", "autoinstall")
#: What is told of a test that never ended, and of all behind it.
_HUNG = "Exited because no new tests completed"
_LINE = re.compile(r"(ok|not ok) \d+ - (.*?)(?: # (SKIP|TODO).*)?")


@dataclass(frozen=True)
class Result:
    """One test of the reference."""

    file: str
    name: str
    passed: bool
    why: str = ""


def run_file(kit: Kit, folder: Path, name: str) -> list[Result]:
    """Run one file of tests; what came of each. Those behind one that hangs run again, alone."""
    results = _run(kit, folder, name, ["--timeout", "2m"])
    for place, result in enumerate(results):
        if _HUNG in result.why:
            alone = _run(kit, folder, name, ["--timeout", "40s", "--match", result.name])
            results[place] = next((one for one in alone if one.name == result.name), result)
    return results


def _run(kit: Kit, folder: Path, name: str, options: list[str]) -> list[Result]:
    ava = folder / "node_modules" / "ava" / "entrypoints" / "cli.mjs"
    command = ["node", str(ava), "--tap", "--serial", *options, f"test/{name}.test.ts"]
    with tempfile.TemporaryFile("w+") as said:
        subprocess.run(
            command, cwd=folder, env=environment(kit), stdout=said,
            stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        said.seek(0)
        return list(_results(name, said.read()))


def _results(file: str, text: str) -> Iterator[Result]:
    lines = text.splitlines()
    for number, line in enumerate(lines):
        found = _LINE.fullmatch(line)
        if found and not found[3]:
            why = [] if found[1] == "ok" else _indented(lines[number + 1 :])
            yield Result(file, found[2], found[1] == "ok", "\n".join(why))


def _indented(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith(" "):
            return
        yield line


def run_all(kit: Kit, *, ours: bool, files: tuple[str, ...]) -> Iterator[Result]:
    """Results of every file that is asked for (none: of all), one file after the other."""
    integration = kit.exchanged_integration() if ours else kit.integration
    package = kit.exchanged_package() if ours else kit.package
    for folder, prefix, names in (
        (integration, "", INTEGRATION),
        (package, "ws-worker/", PROTOCOL),
    ):
        for name in names:
            if not files or prefix + name in files:
                for result in run_file(kit, folder, name):
                    yield Result(prefix + name, result.name, result.passed, result.why)
