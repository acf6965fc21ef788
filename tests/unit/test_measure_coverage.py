"""Floors of coverage: what is counted, what fails, and that they only rise."""

from __future__ import annotations

from typing import Any

from measure_coverage import Counted, below, counted, lowered, package_of, raised


def file(statements: int, branches: int, lines: int, taken: int) -> dict[str, Any]:
    return {
        "summary": {
            "num_statements": statements, "num_branches": branches,
            "covered_lines": lines, "covered_branches": taken,
        }
    }  # fmt: skip


def test_lines_and_branches_are_counted_by_folder() -> None:
    report = {
        "files": {
            "src/holdfast/paths.py": file(10, 0, 5, 0),
            "src/holdfast/engine/shim/shim.py": file(10, 10, 10, 5),
            "/elsewhere/src/holdfast/engine/shim/watch.py": file(20, 0, 20, 0),
            "src/holdfast/engine/__init__.py": file(0, 0, 0, 0),
        }
    }
    assert counted(report) == {".": Counted(10, 5), "engine/shim": Counted(40, 35)}
    assert counted(report)["engine/shim"].percent == 87.5


def test_the_first_level_has_a_name_too() -> None:
    assert package_of("src/holdfast/durable.py") == "."
    assert package_of("src/holdfast/platform/store/runs.py") == "platform/store"


def test_a_package_below_its_floor_fails() -> None:
    assert below({"a": 80.0, "b": 78.5}, {"a": 80, "b": 80}) == []
    assert below({"a": 77.9}, {"a": 80}) == ["a: 77.9 % is below its floor of 80 %"]


def test_every_package_has_a_floor_and_every_floor_a_package() -> None:
    assert below({"new": 90.0}, {}) == ["new: has no floor"]
    assert below({}, {"gone": 1}) == ["gone: there is no such package"]


def test_floors_only_rise() -> None:
    assert raised({"a": 85.9, "b": 70.0, "new": 10.2}, {"a": 80, "b": 75, "gone": 3}) == {
        "a": 85, "b": 75, "new": 10,
    }  # fmt: skip
    assert lowered({"a": 79, "b": 80}, {"a": 80, "b": 75, "gone": 9}) == [
        "a: its floor was lowered from 80 to 79 %"
    ]
