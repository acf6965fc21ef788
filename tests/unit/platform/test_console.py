"""Colours of the console become classes, and nothing else of its sequences is left."""

from __future__ import annotations

import re

import pytest

from holdfast.platform.store.logs import message_text
from holdfast.platform.web.console import LONG, MANY, plain, shown


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m after", '<span class="a-red">red</span> after'),
        (
            "\x1b[1;32mok\x1b[22m same",
            '<span class="a-bold a-green">ok</span><span class="a-green"> same</span>',
        ),
        ("\x1b[94mx\x1b[39my", '<span class="a-blue">x</span>y'),
        ("\x1b[41;97mx\x1b[mz", '<span class="a-white a-on-red">x</span>z'),
        ("\x1b[38;5;196mx", '<span class="a-red">x</span>'),
        ("\x1b[38;2;0;200;10mx", '<span class="a-green">x</span>'),
        ("\x1b[38:5:21mx", '<span class="a-blue">x</span>'),
        ("\x1b[7mx\x1b[27my", '<span class="a-inverse">x</span>y'),
        ("\x1b[31m<b>&\x1b[0m", '<span class="a-red">&lt;b&gt;&amp;</span>'),
        ("a\x1b]0;title\x07b\x1b[2Jc\x1b[?25ld", "abcd"),
        ("cut \x1b[3", "cut "),
        ("cut \x1b]0;tit", "cut "),
        ("a\x00b\x08c\td\ne", "abc\td\ne"),
        ("\x1b[38;5m", ""),
        ("\x1b[99;1234mx", "x"),
        ("\x1b[" + "1;" * 5000 + "31mx", '<span class="a-bold">x</span>'),
    ],
)
def test_colours_become_classes(text: str, html: str) -> None:
    found = shown(text)
    assert found.html == html
    assert found.first is None or len(text) > LONG
    assert plain(text) == re.sub("<[^>]*>", "", html).replace("&lt;", "<").replace(
        "&gt;", ">"
    ).replace("&amp;", "&")


def test_long_messages_are_folded() -> None:
    short, long = shown("x" * LONG), shown("x" * (LONG + 1))
    assert short.first is None
    assert long.first == "x" * 240
    assert long.size == LONG + 1
    lines = shown("\x1b[31mone\n" + "two\n" * MANY)
    assert lines.first == '<span class="a-red">one</span>'
    assert shown("\x1b[31m" * 500 + "x").first is None


def test_what_is_stored_has_colours_and_no_other_control() -> None:
    text = "\x1b[31mred\x1b[0m \x1b[2J\x1b]0;x\x07 \x00"
    mark = "\N{REPLACEMENT CHARACTER}"
    assert message_text(text) == f"\x1b[31mred\x1b[0m {mark}[2J{mark}]0;x{mark} {mark}"
