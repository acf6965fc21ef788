"""`python -m tests.conformance [FILE] [--lines] [--operations]`: recorded behaviour, case by case.

Without FILE every recorded case of the project is run. Prints the failing cases and ends with
`N passed, N failed`; exit code 1 when any failed.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from conformance.recorded import CASES, COUNTS, Case, cases_in, recorded


def say(text: str) -> None:
    """One line for the person at the terminal."""
    sys.stdout.write(text + "\n")


def kind_of(cases: list[Case]) -> str:
    """Which runner the cases are for, by what is in them."""
    if "files" in cases[0] and "exports" in str(cases[0].get("expected", {}).keys()):
        return "declarations"
    if any("package.json" in case.get("files", {}) and "source" not in case for case in cases):
        return "declarations"
    return "compiler" if "source" in cases[0] else "runtime"


def run(cases: list[Case], flags: list[str]) -> tuple[int, list[str]]:
    """How many cases there are, and what failed."""
    kind = kind_of(cases)
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
    passed = failed = 0
    for path in named or [CASES / name for name in COUNTS]:
        count, failures = run(cases_in(path) if named else recorded(path.name), flags)
        for failure in failures:
            say(f"FAILED {failure}")
        passed += count - len(failures)
        failed += len(failures)
    say(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, ValueError) as error:
        sys.exit(f"the cases cannot be read: {error}")
