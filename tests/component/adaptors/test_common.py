"""`language-common`: its whole public list that needs no network, as jobs write it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.adaptors import InstalledAdaptor
from support.adaptors import COMMON
from support.runs import Finished, Runs

CASES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("common_jobs.yaml").read_text())
START: dict[str, Any] = CASES["start"]
#: Name of the operation -> `job`, and the `data` it leaves.
JOBS: dict[str, dict[str, Any]] = CASES["jobs"]
#: Declared, but not there at run time (docs/spec/compiler.md 11), or a matter of the network.
ELSEWHERE = {"metadata", "http"}


@pytest.fixture(scope="module")
def finished(runs: Runs) -> Finished:
    """All jobs in one run: each is a step of its own and starts with START."""
    first: dict[str, Any] = {"id": "start", "expression": "fn(s => s)", "adaptors": [COMMON]}
    first["next"] = dict.fromkeys(JOBS, True)
    steps = [
        {"id": name, "expression": case["job"], "adaptors": [COMMON]}
        for name, case in JOBS.items()
    ]
    return runs.workflow([first, *steps], state=START, job_log_level="debug")


@pytest.mark.parametrize("name", JOBS)
def test_the_operation_gives_what_its_author_expects(finished: Finished, name: str) -> None:
    assert finished.state is not None, (finished.outcome, finished.log())
    left = finished.state[name]
    assert left.get("errors") is None
    expected = JOBS[name]["data"]
    assert left["data"] == (START["data"] if expected == "unchanged" else expected)


def test_the_list_is_complete(real_adaptors: dict[str, InstalledAdaptor]) -> None:
    assert set(real_adaptors[COMMON].exports) - set(JOBS) == ELSEWHERE


def test_what_operations_log_is_seen(finished: Finished) -> None:
    lines = finished.log()
    assert "people: 3" in lines
    assert "quietly: 3" in lines
    assert any(re.match(r"Setting page to: 14", line) for line in lines)


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("assert($.data.n === 4, 'not four')", "AdaptorError", "not four"),
        ("each($.data.people, s => undefined)", "AdaptorError", "undefined"),
        ("parseCsv($.data.csv, { chunkSize: 0 })", "AdaptorError", "chunkSize must be at least 1"),
        ("fn(s => s.data.nothing.at.all)", "RuntimeError", "reading 'at'"),
    ],
)
def test_an_error_is_the_adaptors_or_the_jobs(
    runs: Runs, source: str, kind: str, words: str
) -> None:
    finished = runs.job(source, COMMON, state=START)
    assert finished.outcome.reason == "fail", finished.log()
    assert finished.outcome.error_type == kind
    assert words in finished.error["message"]
