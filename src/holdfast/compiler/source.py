"""The author's text, addressed by byte offset, and positions in it.

The text is kept once, as a string in which each character is one byte of the UTF-8 form. So its
offsets agree with tree-sitter's, regular expressions and the JSON scanner work on it directly, and
25 MB of text need 25 MB, whatever letters it has.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from typing import Self

#: Distance of the remembered positions, so that finding one stays cheap in a line of 50 MB.
STRIDE = 4 * 1024
#: What V8 counts as the end of a line; U+2028 and U+2029 as they look in our text.
LINE_END = re.compile("\r\n|[\r\n]|\xe2\x80[\xa8\xa9]")
SEPARATORS = ("\xe2\x80\xa8", "\xe2\x80\xa9")
EXCERPT_LIMIT = 160


def utf8(text: str) -> bytes:
    """UTF-8 of any string. A lone surrogate becomes U+FFFD, as in every store."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        paired = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return paired.encode()


def utf16_units(piece: str) -> int:
    """Width of a piece of text (one character per UTF-8 byte), as V8 counts columns."""
    if piece.isascii():
        return len(piece)
    characters = piece.encode("latin-1").decode("utf-8", "replace")
    return len(characters.encode("utf-16-le")) // 2


class Source:
    """A text and its positions. `text` holds one character per UTF-8 byte."""

    __slots__ = (
        "_columns",
        "_last",
        "_lines",
        "_offsets",
        "_plain",
        "_returns",
        "_separators",
        "text",
    )

    def __init__(self, text: str) -> None:
        self.text = text
        self._offsets = [0]
        self._lines = [1]
        self._columns = [1]
        #: The place that was asked for last: the next one is often just behind it.
        self._last = (0, 1, 1)
        self._returns = "\r" in text
        self._separators = any(mark in text for mark in SEPARATORS)
        #: Each byte is one character and one column, and only LF ends a line.
        self._plain = text.isascii() and not self._returns

    @classmethod
    def of(cls, value: str | bytes) -> Self:
        """From a string, or from bytes that should be UTF-8 (others become U+FFFD)."""
        if isinstance(value, str):
            return cls(value if value.isascii() else utf8(value).decode("latin-1"))
        try:
            check = codecs.getincrementaldecoder("utf-8")()
            for start in range(0, len(value), 1 << 20):
                check.decode(value[start : start + (1 << 20)])
            check.decode(b"", final=True)
        except UnicodeDecodeError:
            value = value.decode("utf-8", "replace").encode()
        return cls(value.decode("latin-1"))

    def __len__(self) -> int:
        return len(self.text)

    def string(self, start: int, end: int) -> str:
        """A piece of the text as the author sees it."""
        piece = self.text[start:end]
        return piece if piece.isascii() else piece.encode("latin-1").decode("utf-8", "replace")

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column (both from 1; columns in UTF-16 units) of a byte offset."""
        known = self._last
        if not known[0] <= offset < known[0] + STRIDE:
            while self._offsets[-1] + STRIDE <= offset:
                self._remember()
            index = bisect_right(self._offsets, offset) - 1
            known = (self._offsets[index], self._lines[index], self._columns[index])
        if self._plain:
            line, column = self._advance_plain(known, offset)
            self._last = (offset, line, column)
            return line, column
        line, column = self._advance(known, offset)
        if not self._splits_character(offset):
            self._last = (offset, line, column)
        return line, column

    def _advance_plain(self, known: tuple[int, int, int], offset: int) -> tuple[int, int]:
        """`_advance` for most texts: each byte is one column, and only LF ends a line."""
        start, line, column = known
        ends = self.text.count("\n", start, offset)
        if ends:
            return line + ends, offset - self.text.rfind("\n", start, offset)
        return line, column + offset - start

    def _remember(self) -> None:
        offset = self._offsets[-1] + STRIDE
        while self._splits_character(offset):
            offset += 1
        known = (self._offsets[-1], self._lines[-1], self._columns[-1])
        line, column = self._advance(known, offset)
        self._offsets.append(offset)
        self._lines.append(line)
        self._columns.append(column)

    def _splits_character(self, offset: int) -> bool:
        """Within a character, or within a line end of two."""
        text = self.text
        return "\x80" <= text[offset : offset + 1] < "\xc0" or (
            self._returns and text[offset - 1 : offset + 1] == "\r\n"
        )

    def _advance(self, known: tuple[int, int, int], offset: int) -> tuple[int, int]:
        start, line, column = known
        text, end = self.text, offset
        if self._returns and text[offset - 1 : offset + 1] == "\r\n":
            end -= 1  # the line ends behind both
        ends = self.line_ends(start, end)
        if not ends:
            return line, column + self._width(start, offset)
        last = text.rfind("\n", start, end) + 1
        if self._returns:
            last = max(last, text.rfind("\r", start, end) + 1)
        if self._separators:
            for mark in SEPARATORS:
                found = text.rfind(mark, start, end)
                last = max(last, found + 3 if found >= 0 else 0)
        return line + ends, 1 + self._width(last, offset)

    def _width(self, start: int, end: int) -> int:
        return utf16_units(self.text[start:end])

    def line_ends(self, start: int, end: int) -> int:
        """How many lines end within a range."""
        text = self.text
        count = text.count("\n", start, end)
        if self._returns:
            count += text.count("\r", start, end) - text.count("\r\n", start, end)
        if self._separators:
            count += sum(text.count(mark, start, end) for mark in SEPARATORS)
        return count

    def excerpt(self, line: int, column: int | None) -> str:
        """The author's line with a caret below the column; long lines are cut around it."""
        start = 0
        for _ in range(line - 1):
            match = LINE_END.search(self.text, start)
            if match is None:
                break
            start = match.end()
        match = LINE_END.search(self.text, start)
        end = match.start() if match else len(self.text)
        if end - start > 4 * EXCERPT_LIMIT and column is None:
            return self.string(start, start + EXCERPT_LIMIT) + "…"
        shown = self.string(start, end)
        at = (column or 1) - 1
        left = max(0, at - EXCERPT_LIMIT // 2)
        cut = shown[left : left + EXCERPT_LIMIT]
        if column is None:
            return cut
        gap = "".join("\t" if char == "\t" else " " for char in cut[: at - left])
        return f"{cut}\n{gap}^"
