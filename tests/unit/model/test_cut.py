"""Texts and objects of a bounded size as JSON (`model/cut.py`)."""

from __future__ import annotations

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.cut import cut_object, cut_text, size_of
from holdfast.model.json import JsonObject
from holdfast.model.outcome import MOST_BYTES, Outcome, Reason


@given(text=st.text(), most=st.integers(5, 60))
def test_a_text_is_cut_to_its_bytes(text: str, most: int) -> None:
    cut = cut_text(text, most)
    assert size_of(cut) <= most
    assert cut == text or text.startswith(cut.removesuffix("…"))
    assert cut == text or size_of(text) > most


def test_a_small_object_stays_as_it_is() -> None:
    value: JsonObject = {"a": ["x" * 900, 1, None], "b": {"c": "\x01"}}
    assert cut_object(value, 2000) is value


def test_the_longest_texts_of_a_large_object_are_cut_first() -> None:
    cut = cut_object(
        {"long": "\x01" * 17_000, "short": "kept", "list": [{"a": "\x02" * 9000}]}, 9000
    )
    assert size_of(cut) <= 9000
    assert cut["short"] == "kept"
    assert str(cut["long"]).startswith("\x01" * 600)


def test_an_outcome_is_never_larger_than_its_share_of_the_reserve() -> None:
    message = "\x01" * 17_000
    evidence: JsonObject = {"said_result": {"error_message": message}, "stderr_tail": message}
    outcome = Outcome(Reason.FAIL, "E", message, evidence)
    assert size_of(cast("JsonObject", outcome.body("1"))) <= MOST_BYTES
    honest = Outcome(
        Reason.FAIL, "E", "m" * 16_000, {"said_result": {"error_message": "m" * 16_000}}
    )
    assert honest.body("1")["error_message"] == "m" * 16_000
