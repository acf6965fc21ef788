"""The words of texts, as they are searched for; the same on both databases.

A word is a run of letters, digits and `_`, whatever its case. A query wants all of its words; one
that ends with `*` is a beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_WORD = re.compile(r"\w+")
_ASKED = re.compile(r"(\w+)(\*?)")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)")
#: Characters of a word that count, and words of one query.
LONGEST, MOST = 64, 12
#: Bytes of all words of one part, in UTF-8.
MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """One word of a query."""

    text: str
    begins: bool


def words_of(text: str) -> set[str]:
    """All words of a text."""
    return {word[:LONGEST] for word in _WORD.findall(text.casefold())}


def capped(words: Iterable[str]) -> frozenset[str]:
    """So many of the words as one part may have: PostgreSQL refuses a megabyte of them."""
    kept, size = set[str](), 0
    for word in sorted(words):
        size += len(word.encode())
        if size > MOST_BYTES:
            break
        kept.add(word)
    return frozenset(kept)


def words_of_json(text: str) -> set[str]:
    """All words of a JSON text, whose escapes mean what they stand for."""
    return words_of(_ESCAPE.sub(_meant, text) if "\\" in text else text)


def _meant(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else " "


def asked_words(query: str) -> list[Wanted]:
    """The words of a query, no more than `MOST`."""
    found = _ASKED.findall(query.casefold())[:MOST]
    return [Wanted(word[:LONGEST], bool(star) or len(word) > LONGEST) for word, star in found]


def sqlite_query(wanted: Iterable[Wanted], scopes: Iterable[Iterable[str]]) -> str:
    """For FTS5: every word in `words`, and of each scope one mark in `marks`."""
    parts = [f'words : "{word.text}"' + (" *" if word.begins else "") for word in wanted]
    for marks in scopes:
        some = " OR ".join(f'"{mark}"' for mark in marks)
        parts.append(f"marks : ({some})")
    return " AND ".join(parts)


def postgres_query(wanted: Iterable[Wanted], scopes: Iterable[Iterable[str]]) -> str:
    """For `tsquery`; marks begin with `/`, which no word has."""
    parts = [f"'{word.text}'" + (":*" if word.begins else "") for word in wanted]
    for marks in scopes:
        some = " | ".join(f"'/{mark}'" for mark in marks)
        parts.append(f"({some})")
    return " & ".join(parts)
