"""Positions in a text, against counting them one by one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.compiler import source as module
from holdfast.compiler.source import Source

LINES = re.compile("\r\n|[\r\n\u2028\u2029]")
TEXTS = st.text(alphabet="ab \n\r\u2028\u2029é中\U0001f600", max_size=200)


def counted(text: str, characters: int) -> tuple[int, int]:
    before = text[:characters]
    if text[characters - 1 : characters + 1] == "\r\n" and characters:
        before = before[:-1] + "x"  # within a line end of two, which is one
    lines = LINES.split(before)
    return len(lines), 1 + len(lines[-1].encode("utf-16-le")) // 2


@given(TEXTS, st.lists(st.integers(0, 200), max_size=20), st.sampled_from([3, 8, 4096]))
def test_positions(text: str, wanted: list[int], stride: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STRIDE", stride)
        source = Source.of(text)
        for characters in wanted:
            at = min(characters, len(text))
            offset = len(text[:at].encode())
            assert source.position(offset) == counted(text, at)


@given(TEXTS)
def test_line_ends(text: str) -> None:
    source = Source.of(text)
    assert source.line_ends(0, len(source)) == len(LINES.split(text)) - 1


def test_text_is_kept_as_its_bytes() -> None:
    assert Source.of("aé\U0001f600").text == "aé\U0001f600".encode().decode("latin-1")
    assert Source.of("a\ud800b").string(0, 9) == "a\ufffdb"
    assert Source.of("a\ud83d\ude00b").string(0, 9) == "a\U0001f600b"
    assert Source.of(b"a\xffb\xc3").string(0, 99) == "a\ufffdb\ufffd"


def test_an_excerpt_has_its_caret_below_the_place() -> None:
    assert Source.of("a\n\tb c\nd").excerpt(2, 4) == "\tb c\n\t  ^"
    assert Source.of("a\nb").excerpt(2, None) == "b"
    assert Source.of("a").excerpt(7, 1).endswith("^")


def test_an_excerpt_of_a_long_line_is_cut_around_the_place() -> None:
    source = Source.of("x" * 5000 + "!" + "y" * 5000)
    line, caret = source.excerpt(1, 5001).split("\n")
    assert len(line) <= 160
    assert line[caret.index("^")] == "!"
    assert len(source.excerpt(1, None)) < 200
