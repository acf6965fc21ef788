"""Changes a text by offset, and translates positions of the result back.

An edit replaces a range by parts: new text, and ranges of the original, which may carry edits of
their own. Nothing is rebuilt from a tree: text without an edit is copied unchanged.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from holdfast.compiler.source import Source, utf16_units

#: A range of the original, or new text (one character per UTF-8 byte, like the original).
Segment: TypeAlias = "tuple[int, int] | str"
#: `[line, column, author's line, author's column]`: from this position of the result on, text is
#: copied from there. A fifth element 1: new text; all of it stands for that one position.
Entry: TypeAlias = "list[int]"
PIECE = 256 * 1024


class _Edit:
    __slots__ = ("children", "end", "parts", "start", "starts")

    def __init__(self, start: int, end: int, parts: list[Segment]) -> None:
        self.start = start
        self.end = end
        self.parts = parts
        self.children: list[_Edit] = []
        self.starts: list[int] = []


class Edits:
    """Edits of one text. No range is empty, and two ranges never cross."""

    def __init__(self) -> None:
        self._edits: list[_Edit] = []

    def __len__(self) -> int:
        return len(self._edits)

    def replace(self, start: int, end: int, parts: list[Segment]) -> None:
        """Replace a range by parts. Edits inside still apply to ranges among the parts."""
        self._edits.append(_Edit(start, end, parts))

    def wrap(self, start: int, end: int, before: str, after: str) -> None:
        """Put text around a range."""
        self.replace(start, end, [before, (start, end), after])

    def render(self, parts: list[Segment]) -> list[Segment]:
        """The parts with every edit applied, neighbours joined."""
        root = self._nest()
        out: list[Segment] = []
        work: list[tuple[Segment, _Edit]] = [(part, root) for part in reversed(parts)]
        while work:
            part, owner = work.pop()
            if isinstance(part, str):
                _add_text(out, part)
                continue
            start, end = part
            index = bisect_left(owner.starts, start)
            if index < len(owner.children) and owner.children[index].end <= end:
                edit = owner.children[index]
                _add_range(out, start, edit.start)
                if edit.end < end:
                    work.append(((edit.end, end), owner))
                work += [(inner, edit) for inner in reversed(edit.parts)]
            else:
                _add_range(out, start, end)
        return out

    def _nest(self) -> _Edit:
        root = _Edit(-1, 1 << 62, [])
        stack = [root]
        for edit in sorted(self._edits, key=lambda item: (item.start, -item.end)):
            while edit.start >= stack[-1].end:
                stack.pop()
            edit.children, edit.starts = [], []
            stack[-1].children.append(edit)
            stack[-1].starts.append(edit.start)
            stack.append(edit)
        return root


def _add_text(out: list[Segment], text: str) -> None:
    if text:
        if out and isinstance(out[-1], str):
            out[-1] += text
        else:
            out.append(text)


def _add_range(out: list[Segment], start: int, end: int) -> None:
    if start < end:
        last = out[-1] if out else None
        if isinstance(last, tuple) and last[1] == start:
            out[-1] = (last[0], end)
        else:
            out.append((start, end))


def pieces(source: Source, segments: Iterable[Segment]) -> Iterator[bytes]:
    """The text of segments as UTF-8, in pieces of bounded size."""
    buffer: list[str] = []
    size = 0
    for segment in segments:
        start, end = (0, len(segment)) if isinstance(segment, str) else segment
        text = segment if isinstance(segment, str) else source.text
        while start < end:
            piece = text[start : min(end, start + PIECE)]
            start += len(piece)
            buffer.append(piece)
            size += len(piece)
            if size >= PIECE:
                yield "".join(buffer).encode("latin-1")
                buffer, size = [], 0
    if buffer:
        yield "".join(buffer).encode("latin-1")


def length(segments: Iterable[Segment]) -> int:
    """Bytes of the text of segments."""
    return sum(len(item) if isinstance(item, str) else item[1] - item[0] for item in segments)


def position_map(source: Source, segments: list[Segment]) -> list[Entry]:
    """The table that translates positions of a rendered text: one entry per change of the rule."""
    entries: list[Entry] = []
    if segments == [(0, len(source))]:
        return entries
    position, text = source.position, source.text
    line = column = 1
    author, done = (1, 1), 0  # where the last range ended, and its offset
    for segment in segments:
        if isinstance(segment, str):
            entries.append([line, column, *author, 1])
            breaks = segment.count("\n")
            if breaks:
                line += breaks
                column = 1 + utf16_units(segment[segment.rfind("\n") + 1 :])
            else:
                column += utf16_units(segment)
            continue
        start, end = segment
        begin = author if start == done else position(start)
        author, done = position(end), end
        if not _goes_on(entries, line, column, begin, text[start]):
            entries.append([line, column, *begin])
        column = author[1] if author[0] > begin[0] else column + author[1] - begin[1]
        line += author[0] - begin[0]
    return entries


def _goes_on(
    entries: list[Entry], line: int, column: int, begin: tuple[int, int], following: str
) -> bool:
    """Whether text copied from `begin` needs no entry: the earlier rule still holds, or holds
    again, so that the entry of the new text between them can be dropped."""
    last = entries[-1] if entries else [1, 1, 1, 1]
    if len(last) == 4:
        return _maps(last, line, column, begin)
    before = entries[-2] if len(entries) > 1 else [1, 1, 1, 1]
    if len(before) == 5:
        return False
    # New text at the end of a line whose rule did not change; or new text of the same width as
    # the author's text that it replaces.
    ends_line = following in "\r\n" and before[2] - before[0] == begin[0] - line
    if ends_line or (last[0] == line and _maps(before, line, column, begin)):
        entries.pop()
        return True
    return False


def _maps(entry: Entry, line: int, column: int, author: tuple[int, int]) -> bool:
    """Whether an entry of copied text gives this position of the author's."""
    if entry[2] + line - entry[0] != author[0]:
        return False
    if entry[0] == line:
        column += entry[3] - entry[1]
    return column == author[1]


def author_position(entries: list[Entry], line: int, column: int) -> tuple[int, int]:
    """The author's position for one of the edited text (all count from 1)."""
    index = bisect_right(entries, [line, column, 1 << 60]) - 1
    if index < 0:
        return line, column
    entry = entries[index]
    if len(entry) == 5:
        return entry[2], entry[3]
    if entry[0] == line:
        return entry[2], entry[3] + column - entry[1]
    return entry[2] + line - entry[0], column
