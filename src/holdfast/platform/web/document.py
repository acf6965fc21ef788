"""Documents of runs as pages show and compare them: their beginning, or a bounded many of them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from holdfast.model.json import Json
from holdfast.platform.service import Platform
from holdfast.platform.store.database import Connection
from holdfast.platform.store.dataclips import shown_text
from holdfast.platform.web.render import SHOWN, pretty

#: Documents that one page compares, and characters of them together.
_DOCUMENTS, _CHARACTERS = 60, 2_000_000


@dataclass(frozen=True, slots=True)
class Document:
    """The beginning of a document as it is shown. `size`: characters of all of it."""

    text: str
    cut: bool
    size: int
    value: Json = None


def read_document(
    platform: Platform, connection: Connection, clip_id: str | None
) -> Document | None:
    """None: there is none, or it is gone."""
    if clip_id is None:
        return None
    shown = shown_text(
        connection, platform.keys, platform.scrubbers, clip_id, most=SHOWN, state=True
    )
    if shown is None:
        return None
    text = pretty(shown.text, cut=shown.cut)
    value: Json = None if shown.cut else _value(shown.text)
    return Document(text, shown.cut or text.endswith("\n…"), shown.size, value)


def _value(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


class FullError(Exception):
    """A page has read as many documents as it may."""


class Reader:
    """Reads whole documents, each one once, as many and as large as one page may."""

    def __init__(self, platform: Platform, connection: Connection) -> None:
        self._platform, self._connection = platform, connection
        self._known: dict[str, Json] = {}
        self._left = _CHARACTERS

    def value(self, clip_id: str | None) -> Json:
        """None: it is gone, or too large to be compared. Raises FullError."""
        if clip_id is None:
            return None
        if clip_id not in self._known:
            if len(self._known) >= _DOCUMENTS or self._left <= 0:
                raise FullError
            found = read_document(self._platform, self._connection, clip_id)
            self._left -= 0 if found is None else min(found.size, SHOWN)
            self._known[clip_id] = None if found is None or found.cut else found.value
        return self._known[clip_id]
