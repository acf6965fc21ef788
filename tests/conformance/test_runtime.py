"""All recorded cases of the runtime, through the whole engine."""

from __future__ import annotations

import pytest

from conformance.recorded import recorded
from conformance.runtime import DEVIATIONS, run


@pytest.mark.timeout(900)  # 240 real runs: half a minute on two idle cores
def test_every_case_holds() -> None:
    assert run(recorded("runtime-cases.json")) == []


@pytest.mark.timeout(300)
def test_further_cases_hold() -> None:
    """Recorded later, with the published runtime, where the specification had been misread."""
    assert run(recorded("further-cases.json")) == []


@pytest.mark.timeout(300)
def test_rules_say_what_holds_instead_whatever_the_case_is_called() -> None:
    cases = recorded("runtime-cases.json")
    renamed = [case | {"id": f"other-{case['id']}"} for case in cases if case["id"] in DEVIATIONS]
    assert run(renamed) == []


def test_every_deviation_gives_its_reason() -> None:
    assert DEVIATIONS
    for name, deviation in DEVIATIONS.items():
        assert len(deviation["why"]) > 20, name
        assert deviation["expect"], name
