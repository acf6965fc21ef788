"""`python -m tests.conformance [FILE] [--lines] [--operations]`: recorded behaviour, case by case.

Without FILE every case file of the specification is run. Prints the failing cases and ends with
`N passed, N failed`; exit code 1 when any failed.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SPEC = ROOT.parent / "shared" / "spec"
FILES = ("compiler-cases.json", "compiler-dts-cases.json", "runtime-cases.json")


def say(text: str) -> None:
    """One line for the person at the terminal."""
    sys.stdout.write(text + "\n")


sys.path.insert(0, str(ROOT / "tests"))


def kind_of(content: Any) -> str:
    """Which runner a file is for, by what is in it."""
    cases = content.get("cases") if isinstance(content, dict) else content
    if not isinstance(cases, list) or not cases or not isinstance(cases[0], dict):
        message = "this is no case file: a list of cases, or an object with `cases`, is expected"
        raise SystemExit(message)
    if "files" in cases[0] and "exports" in str(cases[0].get("expected", {}).keys()):
        return "declarations"
    if any("package.json" in case.get("files", {}) and "source" not in case for case in cases):
        return "declarations"
    return "compiler" if "source" in cases[0] else "runtime"


def run(path: Path, flags: list[str]) -> tuple[int, list[str]]:
    """How many cases a file has, and what failed."""
    content = json.loads(path.read_text(encoding="utf-8"))
    cases = content["cases"] if isinstance(content, dict) else content
    kind = kind_of(content)
    if kind == "runtime":
        runtime = importlib.import_module("conformance.runtime")
        return len(cases), [str(item) for item in runtime.run(cases)]
    from conformance import compiler

    if kind == "declarations":
        return len(cases), compiler.run_declarations(cases)
    return len(cases), compiler.run(cases, *flags)


def main(arguments: list[str]) -> int:
    """Run the files; returns the exit code."""
    flags = [item for item in arguments if item.startswith("--")]
    named = [Path(item) for item in arguments if not item.startswith("--")]
    if not named and not SPEC.is_dir():
        say(f"no case files at {SPEC}; name one: python -m tests.conformance FILE")
        return 1
    passed = failed = 0
    for path in named or [SPEC / name for name in FILES]:
        count, failures = run(path, flags)
        for failure in failures:
            say(f"FAILED {failure}")
        passed += count - len(failures)
        failed += len(failures)
    say(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
