"""Foreign text cannot control a terminal, and is still the text it was."""

from __future__ import annotations

import json

import pytest

from holdfast import log
from holdfast.model.visible import visible, visible_line

HOSTILE = [
    "\x1b[2J", "\x1b]0;title\x07", "\x1b]52;c;aGk=\x1b\\", "\x9b31m", "\x9d0;x\x9c", "\x90q\x9c",
    "a\rb", "a\x08b", "\x7f", "\x00", "\u202efdp.exe", "\u2066x\u2069", "\u200bx", "\u2028x",
    "\u061cx", "\ufeffx", "\ud800x", "\U000e0041x", "\x0e", "\x05",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_what_controls_a_terminal_is_shown_as_an_escape(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    shown.encode()
    if "\\" not in text:
        assert json.loads(f'"{shown}"') == text


@pytest.mark.parametrize("text", ["a\tb\nc", "Zażółć", "日本語", "👩‍👩‍👧", "می‌خواهم", "ℹ ✔", ""])
def test_text_of_any_language_stays(text: str) -> None:
    assert visible(text) == text


def test_a_line_stays_one_line() -> None:
    assert visible_line("a\n[R/T] forged\t") == "a\\u000a[R/T] forged\\u0009"


def test_a_log_line_carries_no_control_characters() -> None:
    for text in HOSTILE:
        assert log.line("warn", "delivery.incomplete", {"why": f"x{text}\n"}, 0.0).isprintable()
