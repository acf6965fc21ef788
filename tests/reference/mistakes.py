"""Typical mistakes, with what Holdfast and what the reference's command line say of them."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from reference.kit import NODE_FOLDER, Kit
from support.adaptors import installed
from support.engine import Ended, engine
from support.made import made
from support.mistake_servers import others
from support.mistakes import COLLECTIONS, COMMON, FAILURES, FHIR, HTTP, WARNINGS, Mistake
from support.waiting import finish

_HEAD = """\
# {count} mistakes, told by both

<!-- Written by `python -m tests.reference mistakes KIT`. -->

Each row is a mistake that people make, what `holdfast run` says of it, and the lines with which
the command line of the reference (OpenFn CLI {version}) tells the same failure. *Nothing* means
that it succeeds without a word. `–`: it depends on a limit or a policy of the worker, and is not
comparable.

| mistake | code | Holdfast says | what to change | the reference says |
|---|---|---|---|---|
"""
#: Characters of a message of the reference, and of code, in the table.
_SAID, _CODE = 220, 120
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_SECONDS = 60
_NODE = NODE_FOLDER / "bin" / "node"
_NOISE = re.compile(
    r"CRITICAL ERROR|aborted with error|^\s*at |^Error occurred at|^\d+: |^\s*[\^{]|^Check state\."
    r"|^Additional error|^ERROR DETAILS|^Critical error|^Aborting"
)


def page(kit: Kit) -> str:
    """The table, as Markdown."""
    store = installed()
    known = finish(store.ensure([COMMON, HTTP, FHIR, COLLECTIONS]))
    mistakes = [*FAILURES, *WARNINGS]
    with tempfile.TemporaryDirectory() as name, others(Path(name)) as places:
        folder = Path(name)
        options: JsonObject = {key: item.to_option() for key, item in known.items()}
        with engine(folder / "data", store=store.root) as running:
            ours = made(running, mistakes, places, options)
        _install(folder)
        rows = [
            _row(mistake, ours[mistake.name], _theirs(kit, mistake, places, folder))
            for mistake in mistakes
        ]
    manifest = kit.root / "packages" / "cli" / "package.json"
    version = json.loads(manifest.read_text(encoding="utf-8"))["version"]
    return _HEAD.format(version=version, count=len(mistakes)) + "\n".join(rows) + "\n"


def _row(mistake: Mistake, ended: Ended, theirs: str) -> str:
    said, change = _ours(mistake, ended)
    code = mistake.code if len(mistake.code) <= _CODE else mistake.code[:_CODE] + "…"
    cells = (f"{mistake.name}: `{code}`", mistake.expected, said, change, theirs)
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def _ours(mistake: Mistake, ended: Ended) -> tuple[str, str]:
    for body in ended.bodies(Kind.OUTCOME):
        if isinstance(found := body.get("diagnosis"), dict):
            return str(found["what"]), str(found["change"])
    lines = (line for line in ended.log.splitlines() if line.startswith(mistake.expected))
    what, _, change = next(lines).removeprefix(mistake.expected).partition(" Change: ")
    return what.strip(), change


def _install(folder: Path) -> None:
    """The adaptors, as the reference wants them installed."""
    npm = NODE_FOLDER / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(_NODE), str(npm), "install", "--silent", "--prefix", str(folder)]
    subprocess.run([*command, COMMON, HTTP, FHIR, COLLECTIONS], check=True)


def _theirs(kit: Kit, mistake: Mistake, places: dict[str, str], folder: Path) -> str:
    if mistake.egress != "open" or mistake.expected in ("HF1401", "HF1402", "HF1403", "HF1406"):
        return "–"
    code = mistake.code
    for word, place in places.items():
        code = code.replace(word, place)
    step: JsonObject = {"id": "a", "expression": code, **mistake.step}
    step["adaptor"] = _at(folder, mistake.adaptor)
    if mistake.credential:
        step["configuration"] = {**mistake.credential}
    steps: list[JsonObject] = [
        step,
        {"id": "b", "expression": "fn(s => s)", "adaptor": _at(folder, COMMON)},
    ]
    workflow = {"workflow": {"steps": steps[: 2 if "next" in mistake.step else 1]}, "options": {}}
    (folder / "workflow.json").write_text(json.dumps(workflow), encoding="utf-8")
    (folder / "state.json").write_text(json.dumps(mistake.state), encoding="utf-8")
    program = kit.root / "packages" / "cli" / "dist" / "index.js"
    command = [str(_NODE), str(program), "workflow.json", "-s", "state.json", "-o", "out.json"]
    try:
        ran = subprocess.run(
            [*command, "--no-autoinstall"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"nothing within {_SECONDS} s"
    said = " / ".join(_lines(ran.stdout + ran.stderr))
    return (said[:_SAID] + ("…" if len(said) > _SAID else "")) or "*nothing*"


def _at(folder: Path, adaptor: str) -> str:
    """An adaptor as the reference's workflow names one that is installed."""
    name = adaptor.rpartition("@")[0]
    return f"{name}={folder / 'node_modules' / name}"


def _lines(output: str) -> Iterator[str]:
    """What it says at the level of an error, without stack and repetition."""
    seen = set()
    for line in _COLOURS.sub("", output).splitlines():
        _, found, text = line.partition("✘ ")
        if found and text.strip() and not _NOISE.search(text) and text not in seen:
            seen.add(text)
            yield text.strip()
