"""`make coverage`: branch coverage of every package, held against floors that only rise.

Runs the tests with coverage.py, in every process of ours that is Python. Agents, supervisors,
shims and compilers are measured too, unless a test kills them or their walls keep them from
writing. Then each package is compared with its floor in `tests/coverage-floors.json`.

Exit code 1: a package is below its floor, or a floor was lowered. Exit code 0 with a hint: a floor
can be raised (`make coverage ARGS=--raise`).

Tests that measure time, memory or loaded modules may fail under measurement. They are listed, and
do not decide: that is the duty of `make test`.

    measure_coverage.py [--raise] [--report-only] [TEST…]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "src/holdfast/"
FLOORS = ROOT / "tests" / "coverage-floors.json"
FOLDER = ROOT / ".cache" / "coverage"
REPORT = FOLDER / "report"
#: Random faults hit other lines each time: what a measurement may lose without a cause, percent.
SLACK = 2.0


@dataclass
class Counted:
    """Lines and branches of a package."""

    there: int = 0
    covered: int = 0

    @property
    def percent(self) -> float:
        return 100.0 * self.covered / self.there if self.there else 100.0


def package_of(path: str) -> str:
    """The package of a file below `src/holdfast`: its folder, or `.` for the first level."""
    return Path(path.replace("\\", "/").partition(SOURCE)[2]).parent.as_posix()


def counted(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> dict[str, Counted]:
    """Package → lines and branches, from the JSON report of coverage.py."""
    packages: dict[str, Counted] = defaultdict(Counted)
    for path, file in report["files"].items():
        summary = file["summary"]
        package = packages[package_of(path)]
        package.there += summary["num_statements"] + summary["num_branches"]
        package.covered += summary["covered_lines"] + summary["covered_branches"]
    return {name: item for name, item in sorted(packages.items()) if item.there}


def below(found: dict[str, float], floors: dict[str, int]) -> list[str]:
    """What is wrong: packages under their floor, floors without a package, and the reverse."""
    problems = [
        f"{name}: {percent:.1f} % is below its floor of {floors[name]} %"
        for name, percent in found.items()
        if name in floors and percent + SLACK < floors[name]
    ]
    problems += [f"{name}: has no floor" for name in found if name not in floors]
    return problems + [f"{name}: there is no such package" for name in floors if name not in found]


def lowered(floors: dict[str, int], earlier: dict[str, int]) -> list[str]:
    """Floors that are lower than they were. One may go with its package."""
    return [
        f"{name}: its floor was lowered from {before} to {floors[name]} %"
        for name, before in earlier.items()
        if name in floors and floors[name] < before
    ]


def raised(found: dict[str, float], floors: dict[str, int]) -> dict[str, int]:
    """The floors that hold now: never lower than before, and none without a package."""
    return {name: max(floors.get(name, 0), math.floor(percent)) for name, percent in found.items()}


def committed() -> dict[str, int]:
    """The floors of the main branch, or of the last commit; none where there is no history."""
    for revision in ("origin/main", "main", "HEAD"):
        name = f"{revision}:{FLOORS.relative_to(ROOT)}"
        shown = subprocess.run(
            ["git", "show", name], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if shown.returncode == 0:
            floors: dict[str, int] = json.loads(shown.stdout)
            return floors
    return {}


def measure(tests: Sequence[str]) -> None:
    """Run the tests and leave `report/coverage.json` and `report/index.html`."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    FOLDER.chmod(0o777)  # runs and their shims may have users of their own
    coverage = [sys.executable, "-m", "coverage"]
    ran = subprocess.run(
        [*coverage, "run", "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile",
         "-o", "timeout=400", *tests],
        cwd=ROOT, check=False,
    )  # fmt: skip
    if ran.returncode not in (0, 1):  # interrupted, or nothing was collected
        sys.exit(ran.returncode)
    if ran.returncode == 1:
        print("==> tests failed under measurement; `make test` decides about them", flush=True)
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    for command in (["combine", "-q"], ["json", "-q", "-o", str(REPORT / "coverage.json")],
                    ["html", "-q", "-d", str(REPORT)]):  # fmt: skip
        subprocess.run([*coverage, *command], cwd=ROOT, env=environment, check=True)


def table(found: dict[str, Counted], floors: dict[str, int]) -> str:
    """One line for each package."""
    width = max(map(len, found))
    rows = [
        f"{name:{width}}  {item.covered:6} of {item.there:6}  {item.percent:5.1f} %"
        f"  floor {floors.get(name, 0):3} %"
        for name, item in found.items()
    ]
    return "\n".join(rows)


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description="measure coverage and hold it")
    parser.add_argument("--raise", dest="rising", action="store_true", help="write higher floors")
    parser.add_argument("--report-only", action="store_true", help="use the last measurement")
    parser.add_argument("tests", nargs="*", default=["tests"])
    given = parser.parse_args(arguments)
    if not given.report_only:
        measure(given.tests)
    report = json.loads((REPORT / "coverage.json").read_text(encoding="utf-8"))
    floors: dict[str, int] = json.loads(FLOORS.read_text()) if FLOORS.exists() else {}
    packages = counted(report)
    found = {name: item.percent for name, item in packages.items()}
    if given.rising:
        floors = raised(found, floors)
        FLOORS.write_text(json.dumps(floors, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(table(packages, floors))
    problems = below(found, floors) + lowered(floors, committed())
    for problem in problems:
        print(problem, file=sys.stderr)
    higher = [name for name in found if math.floor(found[name]) > floors.get(name, 0) + SLACK]
    if higher and not problems:
        print(f"floors can rise ({', '.join(higher)}): make coverage ARGS=--raise")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
