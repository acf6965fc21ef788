"""Words of texts and of queries."""

from __future__ import annotations

import pytest

from holdfast.platform.store.search_words import (
    MOST,
    Wanted,
    asked_words,
    postgres_query,
    sqlite_query,
    words_of,
    words_of_json,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Sent 3 records to DHIS2.", {"sent", "3", "records", "to", "dhis2"}),
        ("patient_id=P-17", {"patient_id", "p", "17"}),
        ("Straße ÉCOLE", {"strasse", "école"}),
        ("", set()),
        ("\N{GRINNING FACE} \ud800 ok", {"ok"}),
        ("x" * 100, {"x" * 64}),
    ],
)
def test_words_are_letters_digits_and_underscores_whatever_their_case(
    text: str, words: set[str]
) -> None:
    assert words_of(text) == words


def test_escapes_in_json_mean_what_they_stand_for() -> None:
    text = r'{"a\nb": "caf\u00e9 \"quoted\" C:\\temp"}'
    assert words_of_json(text) == {"a", "b", "café", "quoted", "c", "temp"}


def test_a_query_has_words_and_beginnings_and_nothing_that_could_be_syntax() -> None:
    asked = asked_words("""Refer* AND "o'hara" (marks:p1) ' \\ NEAR/2 -x^""")
    assert asked[0] == Wanted("refer", begins=True)
    for build in (sqlite_query, postgres_query):
        for word in asked:
            assert word.text in build(asked, [["p1", "p2"], ["klog"]])
    texts = [word.text for word in asked]
    assert texts == ["refer", "and", "o", "hara", "marks", "p1", "near", "2", "x"]
    assert len(asked_words("w " * 50)) == MOST
    assert asked_words("- ' \"") == []
