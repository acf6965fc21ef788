"""The order of names as browsers and Node.js sort them (`localeCompare`). Pure.

Version hashes depend on it. Letters are compared first without accents and case, then by accent,
then small before capital; space, `_`, `-`, digits and letters come in this order. Right for names
in Latin, Greek and Cyrillic letters; others are taken by their code points.
"""

from __future__ import annotations

import unicodedata
from typing import TypeAlias

#: Compared in this order: letters, accents, case.
Key: TypeAlias = tuple[list[tuple[int, int, int]], list[tuple[int, ...]], list[int]]

_MARKS = {" ": 0, "_": 1, "-": 2}
#: Letters that stand for two, or that are another one with a stroke.
_LONGER = {"ß": "ss", "æ": "ae", "œ": "oe"}
_STROKES = {"ø": "o", "ł": "l"}
#: Letters of their own right behind another one.
_BEHIND = {
    "đ": ("d", 1),
    "ð": ("d", 2),
    "ħ": ("h", 1),
    "\u0131": ("i", 1),  # without a dot
    "ŋ": ("n", 1),
    "ŧ": ("t", 1),
}
#: Letters with a mark that nobody takes for an accent.
_WHOLE = {"й"}
#: Marks in their order; the eleventh is the stroke of the letters above.
_ACCENTS = {chr(mark): place for place, mark in enumerate((
    0x301, 0x300, 0x306, 0x302, 0x30C, 0x30A, 0x308, 0x30B, 0x303, 0x307, 0x338, 0x327, 0x328,
    0x304,
), 1)}  # fmt: skip
_STROKE = _ACCENTS["\u0338"]
_LIGATURE = len(_ACCENTS) + 1


def collation_key(text: str) -> Key:
    """What `sorted` compares."""
    letters: list[tuple[int, int, int]] = []
    accents: list[tuple[int, ...]] = []
    cases: list[int] = []
    for character in unicodedata.normalize("NFC", text):
        small = character.lower()
        capital = int(small != character)
        for base, marks in _parts(small):
            letters.append(_letter(base))
            accents.append(marks)
            cases.append(capital)
    return letters, accents, cases


def _parts(small: str) -> list[tuple[str, tuple[int, ...]]]:
    if small in _LONGER:
        return [(part, (_LIGATURE,)) for part in _LONGER[small]]
    if small in _STROKES:
        return [(_STROKES[small], (_STROKE,))]
    if small in _WHOLE:
        return [(small, ())]
    found: list[tuple[str, tuple[int, ...]]] = []
    for part in unicodedata.normalize("NFKD", small):
        if unicodedata.combining(part) and found:
            base, marks = found[-1]
            found[-1] = (base, (*marks, _ACCENTS.get(part, ord(part))))
        else:
            found.append((part, ()))
    return found


def _letter(base: str) -> tuple[int, int, int]:
    """Kind of character, place within the kind, and whether it comes behind that place."""
    if base in _MARKS:
        return 0, _MARKS[base], 0
    if not base.isalnum():
        return 0, len(_MARKS) + ord(base), 0
    digit = unicodedata.digit(base, None)
    if digit is not None:
        return 1, digit, 0
    before, behind = _BEHIND.get(base, (base, 0))
    return 2, ord(before), behind
