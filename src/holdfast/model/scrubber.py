"""Replaces secrets in texts, with the standard library: for one run and short texts.

The platform has a faster one for large documents (`platform/scrubbing.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable

from holdfast.model.json import Json
from holdfast.model.secrets import MASK, forms


class Scrubber:
    """Knows the secrets of these credentials, in every form they travel in."""

    def __init__(self, bodies: Iterable[Json]) -> None:
        known = set[str]().union(*map(forms, bodies))
        longest_first = sorted(known, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if known else None

    def clean(self, text: str) -> str:
        """The text with a mask in place of each secret."""
        return self._pattern.sub(MASK, text) if self._pattern else text

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
