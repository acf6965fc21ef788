"""Foreign text made safe to show on a terminal and in a log. Pure.

A text from a run or a platform may hold sequences that move the cursor, rename the window, put
text into the keyboard buffer, or turn what is read around. They become visible escapes, `\\u001b`,
which JSON reads back as what they stand for.
"""

from __future__ import annotations

import re

#: Control characters of C0 (but tab and line feed) and C1, DEL, marks that reorder or hide text,
#: ends of lines and paragraphs, characters that show nothing, halves of characters, tags.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_LINE = re.compile("[\t\n]")


def visible(text: str) -> str:
    """The text with an escape in the place of each character that is not for showing.

    Tabs and line feeds stay: see `visible_line`.
    """
    return _UNSAFE.sub(_escape, text)


def visible_line(text: str) -> str:
    """The same for a text that must stay on its line."""
    return _LINE.sub(_escape, visible(text))


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x10000:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
