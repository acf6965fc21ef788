"""The indexer: makes what runs wrote and had searchable, behind the load, and measures old runs.

It reads beside the writer and writes in small pieces. While others wait for the writer it waits,
too. Of several platforms one indexes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from holdfast import log
from holdfast.platform.clock import SECOND, now
from holdfast.platform.service import Platform
from holdfast.platform.store import dataclips, logs, search, steps
from holdfast.platform.store.database import Connection, Row, Transaction, is_passing
from holdfast.platform.store.documents import retention_policy
from holdfast.platform.store.search import Part
from holdfast.platform.store.search_words import capped, words_of, words_of_json

T = TypeVar("T")

_SECONDS = 2.0
#: After a run's end its last lines may still come, seconds.
_AFTER_SECONDS = 2
_RUNS = 50
#: While so many pieces of work wait for the writer, the indexer waits.
_BUSY = 16
_BUSY_SECONDS = 0.05
#: Lines of one part, and words after which a transaction takes no more parts.
_LINES, _WORDS = 500, 5000
#: Characters of a line, of the lines of one part, and of a document that are looked at.
_LINE, _TOGETHER, _DOCUMENT = 10_000, 100_000, 1_000_000


async def indexer(platform: Platform) -> None:
    """Index every other second until cancelled."""
    while True:
        await asyncio.sleep(_SECONDS)
        if await platform.lead.is_mine():
            await index(platform)


async def index(platform: Platform) -> int:
    """Index all runs that have ended; how many."""
    async with platform.indexing:
        return await _index(platform)


@dataclass(frozen=True, slots=True)
class _Ready:
    """What of a run is to be indexed. `after`: its log has more lines after this one."""

    run: Row
    parts: list[Part] = field(default_factory=list)
    after: int | None = None
    memory: int | None = None
    #: It has parts already: it was lost and came back, or its indexing was broken off.
    again: bool = False


async def _index(platform: Platform) -> int:
    database, done = platform.database, 0
    before = now() - _AFTER_SECONDS * SECOND
    while await platform.lead.is_mine():
        runs = await database.read(partial(search.not_indexed, before=before, most=_RUNS))
        marked, ready, words = 0, list[_Ready](), 0
        for run in runs:
            one = await _read(platform, run)
            ready.append(one)
            words += sum(len(part.words) for part in one.parts)
            if words >= database.step(_WORDS) or one.after is not None or run is runs[-1]:
                marked += await _put(platform, ready)
                ready, words = [], 0
        done += marked
        if not marked:  # none are left, or to each of them something came meanwhile
            break
    if done:
        log.debug("search.indexed", runs=done)
    return done


async def _read(platform: Platform, run: Row) -> _Ready:
    """One run. A fault in it is told: it must not keep the others out of the index."""
    try:
        return await platform.database.read(partial(_first_parts, platform, run))
    except Exception as error:
        _tell(error, run)
        return _Ready(run)


async def _put(platform: Platform, ready: list[_Ready]) -> int:
    """Index some runs, the last of which may have more lines; how many are indexed whole."""
    last = ready[-1]
    try:
        for one in ready:
            while one.again and await _write(platform, _remove_some, one) > 0:
                pass
        done = await _write(platform, _add, ready)
        if last.after is not None:
            await _rest(platform, last.run, last.after)
            done += await _write(platform, _mark, last)
    except Exception as error:
        if len(ready) > 1:  # whichever has the fault
            return sum([await _put(platform, [replace(one, again=True)]) for one in ready])
        _tell(error, last.run)
        return await _write(platform, _mark, last)
    return done


def _tell(error: Exception, run: Row) -> None:
    """Raises it if it is not the run's fault."""
    if is_passing(error):
        raise error
    log.failure("search.skipped", error, run=run.id)


async def _rest(platform: Platform, run: Row, after: int) -> None:
    """The lines of a long log after those that are indexed."""
    following: int | None = after
    while following is not None:
        part, following = await platform.database.read(partial(_lines, run=run, after=following))
        await _write(platform, search.add, [] if part is None else [part])


async def _write(platform: Platform, work: Callable[[Transaction, Any], T], what: Any) -> T:
    """While nobody else wants to write much."""
    while platform.database.waiting > _BUSY:  # noqa: ASYNC110 - the writer is another thread
        await asyncio.sleep(_BUSY_SECONDS)
    return await platform.database.write(lambda tx: work(tx, what), heavy=True)


def _remove_some(tx: Transaction, one: _Ready) -> int:
    return search.remove_some(tx, runs=[one.run.id])


def _add(tx: Transaction, ready: list[_Ready]) -> int:
    """All of them; how many have no more lines."""
    search.add(tx, [part for one in ready for part in one.parts])
    return sum(_mark(tx, one) for one in ready if one.after is None)


def _mark(tx: Transaction, one: _Ready) -> int:
    return search.mark_indexed(tx, one.run, one.memory)


def _first_parts(platform: Platform, run: Row, connection: Connection) -> _Ready:
    """Documents and first lines of a run."""
    part, after = _lines(connection, run, 0)
    parts = ([] if part is None else [part]) + _documents(platform, connection, run)
    memory = steps.peak_memory(connection, run.id)
    return _Ready(run, parts, after, memory, search.has_parts(connection, run.id))


def _lines(connection: Connection, run: Row, after: int) -> tuple[Part | None, int | None]:
    """Some lines after a number; the number of the last if there may be more."""
    wanted = logs.Wanted(_LINES, _LINE, _TOGETHER)
    found = logs.lines(connection, run.id, after, wanted)
    if not found:
        return None, None
    words = words_of("\n".join(logs.without_colours(line.message) for line in found))
    first, last = found[0].number, found[-1].number
    part = Part(run.id, run.project_id, "log", capped(words), first, last)
    short = len(found) < _LINES and sum(len(line.message) for line in found) < _TOGETHER
    return part, None if short else last


def _documents(platform: Platform, connection: Connection, run: Row) -> list[Part]:
    """Inputs and outputs that are kept, without the secrets that the run has had."""
    if retention_policy(connection, run.project_id) == "erase_all":
        return []
    outputs = [step.output_dataclip_id for step in steps.steps_of(connection, run.id)]
    kinds = dict.fromkeys([*outputs, run.final_dataclip_id], "output")
    kinds |= {run.dataclip_id: "input"}
    parts = []
    for key, kind in kinds.items():
        if key is None:
            continue
        keys, scrubbers = platform.keys, platform.scrubbers
        shown = dataclips.shown_text(connection, keys, scrubbers, key, most=_DOCUMENT)
        if shown is not None:
            words = capped(words_of_json(shown.text))
            parts.append(Part(run.id, run.project_id, kind, words, clip_id=key))
    return parts
