"""All recorded cases of the runtime, through the whole engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.runtime import DEVIATIONS, run

CASES = Path(__file__).parents[3] / "shared" / "spec" / "runtime-cases.json"
#: Recorded with the reference's published runtime, where a reading of the specification had erred.
FURTHER = Path(__file__).with_name("further-cases.json")


@pytest.mark.timeout(900)  # 240 real runs: half a minute on two idle cores
@pytest.mark.skipif(not CASES.is_file(), reason="the recorded cases are not beside the repository")
def test_every_case_holds() -> None:
    cases = json.loads(CASES.read_text(encoding="utf-8"))["cases"]
    assert len(cases) == 240
    assert run(cases) == []


@pytest.mark.timeout(300)
def test_further_cases_hold() -> None:
    cases = json.loads(FURTHER.read_text(encoding="utf-8"))["cases"]
    assert len(cases) > 30
    assert run(cases) == []


@pytest.mark.timeout(300)
@pytest.mark.skipif(not CASES.is_file(), reason="the recorded cases are not beside the repository")
def test_rules_say_what_holds_instead_whatever_the_case_is_called() -> None:
    cases = json.loads(CASES.read_text(encoding="utf-8"))["cases"]
    renamed = [case | {"id": f"other-{case['id']}"} for case in cases if case["id"] in DEVIATIONS]
    assert run(renamed) == []


def test_every_deviation_gives_its_reason() -> None:
    assert DEVIATIONS
    for name, deviation in DEVIATIONS.items():
        assert len(deviation["why"]) > 20, name
        assert deviation["expect"], name
