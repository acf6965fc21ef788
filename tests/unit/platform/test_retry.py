"""Which failed runs are retried, and when (`project/retry.py`)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.json import Json
from holdfast.model.outcome import RunState
from holdfast.platform.project.retry import LONGEST_WAIT, RETRIED, RetryRule, retry_problems

STATES = [state for state in RunState if state.value in RETRIED]


@given(
    st.builds(RetryRule, st.integers(1, 5), st.integers(0, 9), st.sets(st.sampled_from(RETRIED))
              .map(tuple), st.booleans()),
    st.sampled_from(STATES),
    st.integers(0, 6),
    st.booleans(),
)  # fmt: skip
def test_a_retry_needs_its_state_a_try_left_and_safety(
    rule: RetryRule, state: RunState, retries: int, untouched: bool
) -> None:
    allowed = state.value in rule.on and retries < rule.times and (untouched or rule.idempotent)
    assert (rule.refusal(state, retries, untouched=untouched) is None) == allowed


def test_each_wait_is_twice_as_long_and_a_day_at_most() -> None:
    rule = RetryRule(backoff_seconds=60)
    assert [rule.wait_seconds(n) for n in range(3)] == [60, 120, 240]
    assert rule.wait_seconds(50) == LONGEST_WAIT


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("often", "retry must be a map"),
        ({"tries": 3}, "'tries' is not known"),
        ({"times": 0}, "times must be a whole number from 1 to 20"),
        ({"times": True}, "times must be a whole number"),
        ({"backoff_seconds": -1}, "backoff_seconds must be a whole number from 0"),
        ({"on": ["success"]}, "on must be a list of failed, crashed"),
        ({"on": "failed"}, "on must be a list"),
        ({"idempotent": "yes"}, "idempotent must be true or false"),
    ],
)
def test_what_is_no_rule_is_told(value: Json, words: str) -> None:
    assert words in " ".join(retry_problems(value))


def test_a_rule_is_read_with_its_defaults() -> None:
    assert list(retry_problems({"times": 3, "on": ["failed"]})) == []
    assert RetryRule.of({"times": 3, "on": ["failed"]}) == RetryRule(3, 60, ("failed",))
    assert list(retry_problems(None)) == []
