"""A job's code as the page shows it: numbered lines, and the mark where an error happened."""

from __future__ import annotations

from dataclasses import dataclass

#: Lines around a mark in a frame, characters of a line, and lines of a whole job.
_AROUND, _WIDTH, _LINES = 3, 400, 2000


@dataclass(frozen=True, slots=True)
class CodeLine:
    """One line. `caret`: what stands before the mark in the line below it; None: no mark."""

    number: int
    text: str
    caret: str | None = None


def numbered(body: str, line: int | None = None, column: int | None = None) -> list[CodeLine]:
    """All lines of a job, or as many as a page may have."""
    lines = body.rstrip("\n").split("\n")[:_LINES]
    return [_line(number, text, line, column) for number, text in enumerate(lines, 1)]


def frame(body: str, line: int | None, column: int | None) -> list[CodeLine]:
    """The lines around a place; none where the code has no such line."""
    lines = body.split("\n")
    if line is None or not 1 <= line <= len(lines):
        return []
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    return [_line(number, lines[number - 1], line, column) for number in range(first, last + 1)]


def _line(number: int, text: str, line: int | None, column: int | None) -> CodeLine:
    shown = text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"
    if number != line:
        return CodeLine(number, shown)
    before = text[: min(max(0, (column or 1) - 1), _WIDTH)]
    # as wide as the code above it, whatever a tab is worth
    return CodeLine(number, shown, "".join("\t" if c == "\t" else " " for c in before))
