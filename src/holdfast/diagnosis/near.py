"""The name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

#: How alike two names must be, from 0 to 1.
_ALIKE = 0.68
#: Names that are compared, and their characters.
_NAMES, _CHARS = 2000, 80


def nearest(name: str, known: Iterable[str], count: int = 1) -> list[str]:
    """The known names most like this one, best first; none when nothing is like it."""
    lower = name.lower()[:_CHARS]
    by_lower: dict[str, str] = {}
    for item in list(known)[:_NAMES]:
        if item != name:
            by_lower.setdefault(item.lower()[:_CHARS], item)
    found = difflib.get_close_matches(lower, by_lower, n=count, cutoff=_ALIKE)
    return [by_lower[item] for item in found]


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names as words: `a, b and c`; of many only the first."""
    known = list(names)
    if not known:
        return "nothing"
    if len(known) > most:
        return ", ".join(known[:most]) + f" and {len(known) - most} more"
    return known[0] if len(known) == 1 else ", ".join(known[:-1]) + f" and {known[-1]}"
