"""Log lines with the colours that their programs gave them, as HTML; long ones folded. Pure.

Of the console's escape sequences only those of colour and weight (SGR, ECMA-48 8.3.117) are kept,
as classes whose colours have contrast on the page. All others are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

#: Characters and lines beyond which a line is folded, and what is shown of it then.
LONG, MANY, _FIRST = 600, 8, 240
#: A sequence: colour and weight in the first group, anything else, or one that was cut off.
_SEQUENCE = re.compile(
    r"\x1b\[([\d;:]*)m|\x1b\[[\d;:<=>?]*[ -/]*[@-~]|\x1b[\]PX^_].{0,300}?(?:\x07|\x1b\\)"
    r"|\x1b(?:\[[\d;:<=>?]*[ -/]*|[\]PX^_].{0,300}|[ -/]*)\Z|\x1b[ -/]*[0-~]"
    r"|[\x00-\x08\x0b-\x1f\x7f]",
    re.DOTALL,
)
_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_WEIGHTS = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "struck"}
#: What ends which weights.
_ENDS = {22: (1, 2), 23: (3,), 24: (4,), 27: (7,), 29: (9,)}
_MOST_NUMBERS = 32
#: The eight colours as red, green, blue, for those that have a number or a mixture.
_MIXED = ((0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205),
          (0, 205, 205), (229, 229, 229))  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Style:
    weights: frozenset[int] = frozenset()
    colour: int | None = None
    ground: int | None = None

    @property
    def classes(self) -> str:
        found = [f"a-{_WEIGHTS[one]}" for one in sorted(self.weights)]
        found += [] if self.colour is None else [f"a-{_NAMES[self.colour]}"]
        found += [] if self.ground is None else [f"a-on-{_NAMES[self.ground]}"]
        return " ".join(found)


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as HTML. `first`: its beginning, where it is folded; `size`: its characters."""

    html: Markup
    first: Markup | None
    size: int


def shown(text: str) -> Shown:
    """The message of one log line."""
    pieces = _pieces(text)
    size = sum(len(piece) for piece, _ in pieces)
    lines = sum(piece.count("\n") for piece, _ in pieces)
    first = _html(_beginning(pieces)) if size > LONG or lines >= MANY else None
    return Shown(_html(pieces), first, size)


def plain(text: str) -> str:
    """The message without any escape sequence."""
    return "".join(piece for piece, _ in _pieces(text))


_Pieces = list[tuple[str, _Style]]


def _pieces(text: str) -> _Pieces:
    """Parts of one style each."""
    if _SEQUENCE.search(text) is None:
        return [(text, _Style())]
    found, style, at = _Pieces(), _Style(), 0
    for sequence in _SEQUENCE.finditer(text):
        if sequence.start() > at:
            found.append((text[at : sequence.start()], style))
        if sequence[1] is not None:
            style = _changed(style, sequence[1])
        at = sequence.end()
    return [*found, (text[at:], style)] if at < len(text) else found


def _changed(style: _Style, text: str) -> _Style:
    """The style after the numbers of one sequence; what is not known changes nothing."""
    numbers = [int(part) if part and len(part) < 4 else 0 for part in re.split("[;:]", text)]
    numbers = numbers[:_MOST_NUMBERS]
    weights, colours = set(style.weights), {"colour": style.colour, "ground": style.ground}
    at = 0
    while at < len(numbers):
        number = numbers[at]
        at += 1
        if number == 0:
            weights, colours = set(), {"colour": None, "ground": None}
        elif number in _WEIGHTS:
            weights.add(number)
        elif number in _ENDS:
            weights.difference_update(_ENDS[number])
        elif number in {38, 48}:
            colours["colour" if number == 38 else "ground"], at = _numbered(numbers, at)
        elif number in {39, 49}:
            colours["colour" if number == 39 else "ground"] = None
        elif 30 <= number % 60 <= 37 and number < 98:
            colours["colour"] = number % 10
        elif 40 <= number <= 47 or 100 <= number <= 107:
            colours["ground"] = number % 10
    return _Style(frozenset(weights), **colours)


def _numbered(numbers: list[int], at: int) -> tuple[int | None, int]:
    """A colour by number (`5;n`) or as a mixture (`2;r;g;b`), and where to go on."""
    kind, rest = (numbers[at], numbers[at + 1 :]) if at < len(numbers) else (0, [])
    if kind == 5 and rest:
        return _of_number(rest[0]), at + 2
    if kind == 2 and len(rest) >= 3:
        return _nearest(*rest[:3]), at + 4
    return None, len(numbers)


def _of_number(number: int) -> int:
    """The nearest of the eight: 16 named ones, a cube of 6 × 6 × 6, and 24 greys."""
    if number < 16:
        return number % 8
    if number >= 232:
        return 0 if number < 238 else 7
    cube = number - 16
    return _nearest(cube // 36 * 51, cube // 6 % 6 * 51, cube % 6 * 51)


def _nearest(red: int, green: int, blue: int) -> int:
    def far(place: int) -> int:
        return sum(
            (one - two) ** 2 for one, two in zip(_MIXED[place], (red, green, blue), strict=True)
        )

    return min(range(8), key=far)


def _beginning(pieces: _Pieces) -> _Pieces:
    """What is shown of a folded line."""
    found, left = _Pieces(), _FIRST
    for piece, style in pieces:
        line, broken, _ = piece.partition("\n")
        found.append((line[:left], style))
        left -= len(line)
        if broken or left <= 0:
            break
    return found


def _html(pieces: _Pieces) -> Markup:
    parts = [
        Markup('<span class="{}">{}</span>').format(style.classes, piece)
        if style.classes
        else Markup.escape(piece)
        for piece, style in pieces
    ]
    return Markup("").join(parts)
