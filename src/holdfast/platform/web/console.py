"""Log lines with the colours that their programs gave them, as HTML; long ones folded. Pure.

Only sequences of colour and weight are stored (`store/logs.py`). They become classes, whose
colours have contrast on the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup, escape

from holdfast.platform.store.logs import COLOURS, without_colours

#: Characters and lines beyond which a line is folded, and what is shown of it then.
LONG, MANY, _FIRST = 600, 8, 240
#: Parts of a line that may have a style of their own; the rest is plain.
MOST_PARTS = 100
_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_WEIGHTS = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "struck"}
#: What ends which weights.
_ENDS = {22: (1, 2), 23: (3,), 24: (4,), 27: (7,), 29: (9,)}
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


_Pieces = list[tuple[str, _Style]]


def _pieces(text: str) -> _Pieces:
    """Parts of one style each."""
    found, style, at = _Pieces(), _Style(), 0
    for sequence in COLOURS.finditer(text):
        if sequence.start() > at:
            found.append((text[at : sequence.start()], style))
            if len(found) == MOST_PARTS:
                return [*found, (without_colours(text[sequence.end() :]), _Style())]
        if sequence[1] is not None:
            style = _changed(style, sequence[1])
        at = sequence.end()
    return [*found, (text[at:], style)] if at < len(text) else found


@lru_cache(4096)
def _changed(style: _Style, text: str) -> _Style:
    """The style after the parameters of one sequence; what is not known changes nothing.

    Numbers with colons between them are one parameter (ITU-T T.416), whose first says what it is.
    """
    weights, colours = set(style.weights), {"colour": style.colour, "ground": style.ground}
    parts = [[_number(one) for one in part.split(":")] for part in text.split(";")]
    at = 0
    while at < len(parts):
        number, *inside = parts[at]
        at += 1
        if inside:
            if number == 4:
                weights = weights | {4} if inside[0] else weights - {4}
            elif number in {38, 48}:
                colours["colour" if number == 38 else "ground"] = _mixed(inside)
        elif number == 0:
            weights, colours = set(), {"colour": None, "ground": None}
        elif number in _WEIGHTS:
            weights.add(number)
        elif number in _ENDS:
            weights.difference_update(_ENDS[number])
        elif number in {38, 48}:
            given = [part[0] for part in parts[at:]]
            colours["colour" if number == 38 else "ground"], at = _numbered(given, at)
        elif number in {39, 49}:
            colours["colour" if number == 39 else "ground"] = None
        elif 30 <= number % 60 <= 37 and number < 98:
            colours["colour"] = number % 10
        elif 40 <= number <= 47 or 100 <= number <= 107:
            colours["ground"] = number % 10
    return _Style(frozenset(weights), **colours)


def _number(text: str) -> int:
    return int(text) if text and len(text) < 4 else 0


def _mixed(inside: list[int]) -> int | None:
    """A colour of one parameter: `5:n`, `2:r:g:b`, or `2::r:g:b` with the space of colours."""
    spaced = inside[0] == 2 and len(inside) > 4
    return _numbered([2, *inside[2:]] if spaced else inside, 0)[0]


def _numbered(given: list[int], at: int) -> tuple[int | None, int]:
    """A colour by number (`5;n`) or as a mixture (`2;r;g;b`), and where to go on."""
    kind, rest = (given[0], given[1:]) if given else (0, [])
    if kind == 5 and rest:
        return _of_number(rest[0]), at + 2
    if kind == 2 and len(rest) >= 3:
        return _nearest(*rest[:3]), at + 4
    return None, at + len(given)


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
        f'<span class="{classes}">{escape(piece)}</span>'
        if (classes := style.classes)
        else escape(piece)
        for piece, style in pieces
    ]
    return Markup("".join(parts))  # noqa: S704 - each piece is escaped
