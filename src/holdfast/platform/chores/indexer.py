"""The indexer: makes what runs wrote and had searchable, behind the load, and measures old runs.

It reads beside the writer and writes in small pieces. While others wait for the writer it waits,
too. Of several platforms one indexes.
"""

from __future__ import annotations

import asyncio
from functools import partial

from holdfast import log
from holdfast.platform.clock import SECOND, now
from holdfast.platform.service import Platform
from holdfast.platform.store import dataclips, logs, search, steps
from holdfast.platform.store.database import Connection, Row, is_passing
from holdfast.platform.store.documents import retention_policy
from holdfast.platform.store.search import Part
from holdfast.platform.store.search_words import capped, words_of, words_of_json

_SECONDS = 2.0
#: After a run's end its last lines may still come, seconds.
_AFTER_SECONDS = 2
_RUNS = 50
#: While so many pieces of work wait for the writer, the indexer waits.
_BUSY = 16
_BUSY_SECONDS = 0.05
#: Lines of one part, and words that one transaction adds.
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


async def _index(platform: Platform) -> int:
    database, done = platform.database, 0
    before = now() - _AFTER_SECONDS * SECOND
    while await platform.lead.is_mine():
        runs = await database.read(partial(search.not_indexed, before=before, most=_RUNS))
        marked = 0
        for run in runs:
            memory = await _run(platform, run)
            mark = partial(search.mark_indexed, run=run, memory=memory)
            marked += await database.write(mark)
        done += marked
        if not marked:  # none are left, or to each of them something came meanwhile
            break
    if done:
        log.debug("search.indexed", runs=done)
    return done


async def _run(platform: Platform, run: Row) -> int | None:
    """One run; its peak of memory. A fault in it is told, and keeps no others from the index."""
    database, memory = platform.database, None
    try:
        memory = await database.read(partial(steps.peak_memory, run_id=run.id))
        # of a run that was lost and came back, or whose indexing was broken off
        while await database.write(partial(search.remove_some, runs=[run.id])):
            pass
        parts, after = await database.read(partial(_first_parts, platform, run))
        await _write(platform, parts)
        if after is not None:
            await _rest(platform, run, after)
    except Exception as error:
        if is_passing(error):
            raise  # it is not the run's fault
        log.failure("search.skipped", error, run=run.id)
    return memory


async def _rest(platform: Platform, run: Row, after: int) -> None:
    """The lines of a long log after those that are indexed."""
    following: int | None = after
    while following is not None:
        part, following = await platform.database.read(partial(_lines, run=run, after=following))
        await _write(platform, [] if part is None else [part])


async def _write(platform: Platform, parts: list[Part]) -> None:
    """In transactions of a bounded size, while nobody else wants to write much."""
    piece, words = list[Part](), 0
    for part in parts:
        piece.append(part)
        words += len(part.words)
        if words >= _WORDS:
            await _add(platform, piece)
            piece, words = [], 0
    if piece:
        await _add(platform, piece)


async def _add(platform: Platform, parts: list[Part]) -> None:
    while platform.database.waiting > _BUSY:  # noqa: ASYNC110 - the writer is another thread
        await asyncio.sleep(_BUSY_SECONDS)
    await platform.database.write(partial(search.add, parts=parts))


def _first_parts(
    platform: Platform, run: Row, connection: Connection
) -> tuple[list[Part], int | None]:
    """Documents and first lines of a run; after which line there are more, if there are."""
    part, after = _lines(connection, run, 0)
    parts = [] if part is None else [part]
    return parts + _documents(platform, connection, run), after


def _lines(connection: Connection, run: Row, after: int) -> tuple[Part | None, int | None]:
    """Some lines after a number; the number of the last if there may be more."""
    wanted = logs.Wanted(_LINES, _LINE, _TOGETHER)
    found = logs.lines(connection, run.id, after, wanted)
    if not found:
        return None, None
    words = words_of("\n".join(line.message for line in found))
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
