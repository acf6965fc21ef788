"""All recorded cases of the runtime, through the whole engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.runtime import DEVIATIONS, run

CASES = Path(__file__).parents[3] / "shared" / "spec" / "runtime-cases.json"


@pytest.mark.timeout(900)  # 240 real runs: half a minute on two idle cores
@pytest.mark.skipif(not CASES.is_file(), reason="the recorded cases are not beside the repository")
def test_every_case_holds() -> None:
    cases = json.loads(CASES.read_text(encoding="utf-8"))["cases"]
    assert len(cases) == 240
    assert run(cases) == []


def test_every_deviation_gives_its_reason() -> None:
    assert DEVIATIONS
    for name, deviation in DEVIATIONS.items():
        assert len(deviation["why"]) > 20, name
        assert deviation["expect"], name
