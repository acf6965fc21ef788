"""Run the unit and conformance tests on every CPython of this machine: `make test-pythons`.

Looked for in PATH, in pyenv's and in uv's folders; each version once, from the oldest that
Holdfast supports. Each has an environment of its own below `.cache/pythons`. Arguments go to
pytest: `make test-pythons ARGS="-k frames"`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".cache" / "pythons"
UV = Path(sys.executable).with_name("uv")
OLDEST = (3, 11)
TESTS = ("tests/unit", "tests/conformance")
_NAME = re.compile(r"python3(?:\.[0-9]+)?")
_ASK = "import sys; print(sys.implementation.name, *sys.version_info[:3], sys._base_executable)"


def folders() -> Iterator[Path]:
    """Where interpreters may lie."""
    yield from map(Path, os.get_exec_path())
    yield from map(Path, ("/usr/bin", "/usr/local/bin"))
    pyenv = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    yield from sorted((pyenv / "versions").glob("*/bin"))
    data = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
    yield from sorted((data / "uv" / "python").glob("*/bin"))


def asked(program: Path) -> tuple[tuple[int, int, int], Path] | None:
    """Version and real path (no shim, no virtual environment) of a CPython; None for others."""
    try:
        answer = subprocess.run(
            [program, "-I", "-c", _ASK], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    words = answer.stdout.strip().split(" ", 4)
    if answer.returncode or words[0] != "cpython":
        return None
    return (int(words[1]), int(words[2]), int(words[3])), Path(words[4])


def interpreters() -> dict[tuple[int, int, int], Path]:
    """The first interpreter of each supported version, the oldest version first."""
    found: dict[tuple[int, int, int], Path] = {}
    for folder in folders():
        try:
            names = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
        except OSError:
            continue
        for path in names:
            answer = asked(path)
            if answer is not None and answer[0] >= OLDEST:
                found.setdefault(*answer)
    return dict(sorted(found.items()))


def environment(python: Path, version: str) -> Path:
    """Make, or bring up to date, the environment of a version; its interpreter."""
    folder = ENVIRONMENTS / version
    if not (folder / "bin" / "python").exists():
        subprocess.run([UV, "venv", "--quiet", "--python", python, folder], check=True)
    subprocess.run(
        [UV, "sync", "--locked", "--active", "--all-extras", "--quiet"],
        env={**os.environ, "VIRTUAL_ENV": str(folder)},
        cwd=ROOT,
        check=True,
    )
    return folder / "bin" / "python"


def main(arguments: list[str]) -> int:
    results: dict[str, str] = {}
    for number, path in interpreters().items():
        version = ".".join(map(str, number))
        print(f"==> CPython {version} ({path})", flush=True)
        try:
            python = environment(path, version)
        except (OSError, subprocess.CalledProcessError) as error:
            results[version] = f"no environment: {error}"
            continue
        command = [str(python), "-m", "pytest", "-q", "-n", "2", *TESTS, *arguments]
        done = subprocess.run(command, cwd=ROOT, check=False)
        results[version] = "passed" if done.returncode == 0 else f"failed ({done.returncode})"
    for version, result in results.items():
        print(f"CPython {version:10} {result}")
    return 0 if results and set(results.values()) == {"passed"} else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
