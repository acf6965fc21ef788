"""What a request may not bring is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.request_body import parse_request

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (r'{"a": "\ud800"}', "$.a: it has half of a character (U+D800)"),
        (r'{"a": [1, {"b": "x\udfff"}]}', "$.a[1].b: it has half of a character (U+DFFF)"),
        (r'[{"\udc00": 1}]', "$[0], a member's name: it has half of a character (U+DC00)"),
        ("[1e999]", "$[0]: the number is infinite"),
        ('{"n": -1E+400}', "$.n: the number is infinite"),
        (b'"\xff"', "byte 1 is no UTF-8"),
        (b'"\xed\xa0\x80"', "byte 1 is no UTF-8"),
        ('"\ud800"', "$: it has half of a character (U+D800)"),
    ],
)
def test_the_place_is_told(text: str | bytes, place: str) -> None:
    for document in (False, True):
        with pytest.raises(ValueError, match=r".") as refused:
            parse_request(text, document=document)
        assert str(refused.value) == place


def test_documents_are_stored_as_text_and_may_have_more() -> None:
    for text in (r'{"a": "\u0000"}', str(10**30), str(-(2**63) - 1)):
        assert parse_request(text, document=True) is not None
        with pytest.raises(ValueError, match=r"\$"):
            parse_request(text)


@given(_VALUES)
def test_everything_else_is_taken_as_it_is(value: Any) -> None:
    text = json.dumps(value)
    if "\\u0000" not in text:
        assert parse_request(text) == value
    assert parse_request(text.encode(), document=True) == value
