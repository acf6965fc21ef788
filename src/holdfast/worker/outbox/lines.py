"""Log lines, of which a run may write a hundred thousand: read and written without detours. Pure.

A record that our engine has written is JSON in one form. What it says is checked here; then its
own text is sent, with the ids of run and line put in front. Every other record goes the long way
(`events.py`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha1
from typing import cast
from uuid import UUID

from holdfast.journal import Record
from holdfast.model.json import Json, parse_fit
from holdfast.protocol.frames import dumps
from holdfast.protocol.messages import LOG_LEVELS, LogLine
from holdfast.worker.outbox.clean import clean_json

#: Log lines are UUIDs of their run and their place in its journal, in this namespace.
_LINES = UUID("5f2b0a6e-0d0c-5c57-9a53-1c6f5d0c6e1b").bytes
_FORM = re.compile(
    rb'\{"source":"([^"\\]{1,8})","level":"([a-z]+)","message":(\[.*\]),"timestamp":"([0-9]{16})"'
    rb'(?:,"step_id":"([^"\\]{1,100})")?\}',
    re.DOTALL,
)


def read(record: Record) -> tuple[LogLine, str] | None:
    """A line and its JSON text as it may be sent; None if the record is not in our form."""
    found = _FORM.fullmatch(record.body)
    if found is None:
        return None
    source, level, message, timestamp, step = found.groups()
    try:
        # Nothing but one list: what is in front of it and behind it cannot be part of it.
        value = cast("list[Json]", parse_fit(message))
        named, known = source.decode(), level.decode()
        text = clean_json(record.body.decode())
    except ValueError:
        return None
    if known not in LOG_LEVELS:
        return None
    step_id = None if step is None else step.decode()
    place = f"{record.sequence}.0"
    return LogLine(timestamp.decode(), value, named, known, step_id, place), text


def identity(run_id: str, line: LogLine) -> str:
    """The line's id, which a repeat has too: a UUID (version 5) of its run and its place."""
    found = sha1(_LINES + f"{run_id}/{line.id}".encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(found[16], 16) & 3]
    return f"{found[:8]}-{found[8:12]}-5{found[13:16]}-{variant}{found[17:20]}-{found[20:32]}"


@lru_cache
def _named(run_id: str) -> str:
    return clean_json(dumps(run_id))


def with_ids(run_id: str, line: LogLine, text: str, *, alone: bool) -> str:
    """The line's text with its id, and with the run's if it goes `alone`."""
    ids = f'"id":"{identity(run_id, line)}",'
    if alone:
        ids = f'"run_id":{_named(run_id)},{ids}'
    return f"{{{ids}{text[1:]}"
