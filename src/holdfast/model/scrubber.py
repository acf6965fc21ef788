"""Replaces secrets in texts, with the standard library: for one run and short texts.

The platform has a faster one for large documents (`platform/scrubbing.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from holdfast.model.json import Json
from holdfast.model.secrets import MASK, forms

#: Characters of a form that are looked for first.
_START = 5


class Scrubber:
    """Knows the secrets of these credentials, in every form they travel in.

    The time for a text hardly depends on their number: each place is looked up once.
    """

    def __init__(self, bodies: Iterable[Json]) -> None:
        known = set[str]().union(*map(forms, bodies))
        #: How forms begin, by the length of the beginning; those that begin so, longest first.
        self._starts: dict[int, dict[str, list[str]]] = {}
        for form in sorted(known, key=lambda form: (-len(form), form)):
            start = form[:_START]
            self._starts.setdefault(len(start), {}).setdefault(start, []).append(form)

    def clean(self, text: str) -> str:
        """The text with a mask in place of each secret: the leftmost, and of these the longest."""
        parts: list[str] = []
        end = 0
        for at in self._hits(text):
            if at >= end and (size := self._longest(text, at)):
                parts += (text[end:at], MASK)
                end = at + size
        return "".join((*parts, text[end:])) if parts else text

    def _hits(self, text: str) -> list[int]:
        """Where something begins as a secret does, in order."""
        hits: list[int] = []
        for length, starts in self._starts.items():
            last = len(text) - length + 1
            hits += [at for at in range(last) if text[at : at + length] in starts]
        return sorted(hits) if len(self._starts) > 1 else hits

    def _longest(self, text: str, at: int) -> int:
        """Characters of the longest secret that begins here; 0 where none does."""
        longest = 0
        for length, starts in self._starts.items():
            for form in starts.get(text[at : at + length], ()):
                if text.startswith(form, at):
                    longest = max(longest, len(form))
                    break
        return longest

    def clean_value(self, value: Json) -> Json:
        """The value with a mask in place of each secret, in its texts, names and numbers."""
        return cleaned(value, self.clean)


def cleaned(value: Json, clean: Callable[[str], str]) -> Json:
    """The value with its texts and names as `clean` gives them, and numbers that it changes."""
    if isinstance(value, dict):
        return {clean(name): cleaned(item, clean) for name, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item, clean) for item in value]
    if isinstance(value, str):
        return clean(value)
    text = json.dumps(value)
    return value if (told := clean(text)) == text else told
