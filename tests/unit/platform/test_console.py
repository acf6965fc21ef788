"""Colours of the console become classes, and nothing else of its sequences is left."""

from __future__ import annotations

import re

import pytest

from holdfast.platform.store.logs import message_text, without_colours
from holdfast.platform.web.console import LONG, MANY, MOST_PARTS, shown


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
        ("\x1b[38:2::255:0:0mx", '<span class="a-red">x</span>'),
        ("\x1b[38:2:255:0:0mx", '<span class="a-red">x</span>'),
        ("\x1b[48:2::0:0:255;1mx", '<span class="a-bold a-on-blue">x</span>'),
        ("\x1b[4:3mx\x1b[4:0my", '<span class="a-underline">x</span>y'),
        ("\x1b[58:2::1:2:3;1:31;3mx", '<span class="a-italic">x</span>'),
        ("cut \x1b[3", "cut "),
        ("cut \x1b", "cut "),
        ("\x1b[38;5m", ""),
        ("\x1b[99;1234mx", "x"),
    ],
)
def test_colours_become_classes(text: str, html: str) -> None:
    found = shown(text)
    assert found.html == html
    assert found.first is None or len(text) > LONG
    assert without_colours(text) == re.sub("<[^>]*>", "", html).replace("&lt;", "<").replace(
        "&gt;", ">"
    ).replace("&amp;", "&")


def test_a_line_has_a_bounded_number_of_colours_and_all_of_its_text() -> None:
    text = "".join(f"\x1b[3{n % 7}mx" for n in range(4000))
    found = shown(text).html
    assert found.count("<span") <= MOST_PARTS
    assert found.striptags() == "x" * 4000


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
