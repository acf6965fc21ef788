"""Makes a loaded history searchable: the parts that the platform's indexer would make of it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from holdfast.platform.store import tables as t
from holdfast.platform.store.search import Part
from holdfast.platform.store.search_words import capped, words_of, words_of_json

#: Rows of the tables by their names, as `support/history_rows.py` makes them.
Found = dict[str, list[tuple[Any, ...]]]
#: Lines of one part, as in `chores/indexer.py`.
_LINES = 500


def parts_of(found: Found) -> Iterator[Part]:
    """The parts of all these runs, one run after another."""
    bodies: dict[str, str] = dict(_columns(t.dataclip_bodies, found, "dataclip_id", "body"))
    logs = _logs(found)
    for run in _columns(t.runs, found, "id", "project_id", "dataclip_id", "final_dataclip_id"):
        key, project, first, last = run
        lines = iter(logs.get(key, []))
        while some := list(islice(lines, _LINES)):
            words = capped(words_of("\n".join(text for _, text in some)))
            yield Part(key, project, "log", words, some[0][0], some[-1][0])
        for clip, kind in ((last, "output"), (first, "input")):
            yield Part(key, project, kind, capped(words_of_json(bodies[clip])), clip_id=clip)


def _logs(found: Found) -> dict[str, list[tuple[int, str]]]:
    rows = _columns(t.log_lines, found, "run_id", "number", "message")
    return {run: [row[1:] for row in mine] for run, mine in groupby(rows, itemgetter(0))}


def _columns(table: Any, found: Found, *names: str) -> Iterator[tuple[Any, ...]]:
    places = [table.c.keys().index(name) for name in names]
    return map(itemgetter(*places), found[table.name])


def part_rows(parts: Iterable[tuple[int, Part]], *, compressed: bool) -> Iterator[tuple[Any, ...]]:
    """Rows of `search_parts`."""
    for number, part in parts:
        words = zlib.compress(said(part).encode(), 1) if compressed else None
        yield (number, part.run_id, part.project_id, part.kind, part.first, part.last,
               part.clip_id, words)  # fmt: skip


def said(part: Part) -> str:
    """All its words."""
    return " ".join(sorted(part.words))
