"""A run's operations, requests and samples as its page shows them. Pure.

Whatever a worker sent must not break the page: what cannot be drawn is left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from holdfast.model.beyond import Beyond
from holdfast.model.json import Json, JsonObject
from holdfast.platform.web.language import say
from holdfast.platform.web.words import FATES, FATES_SHORT

#: Entries of each list that are read, and characters of a text. Our worker sends fewer.
_ENTRIES, _TEXT = 400, 300
#: Microseconds: the year 2200.
_MOST = 7_258_118_400_000_000


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a step. `until` None: it was under way when the run ended."""

    key: str
    step_id: str
    number: int
    name: str
    line: int | None
    since: int
    until: int | None


@dataclass(frozen=True, slots=True)
class Call:
    """One request to another system; `operation`: the number of the one that made it."""

    key: str
    step_id: str
    number: int
    operation: int | None
    title: str
    fate: str
    #: Its status, its error, or a word for what became of it.
    result: str
    bytes: int | None
    address: str | None
    idempotency_key: str | None
    since: int
    until: int | None
    bad: bool


Span: TypeAlias = Operation | Call


@dataclass(frozen=True, slots=True)
class Told:
    """What a worker told of one run. Samples: microseconds, mebibytes, processor milliseconds."""

    operations: Sequence[Operation] = ()
    calls: Sequence[Call] = ()
    left_out: int = 0
    samples: Sequence[tuple[int, float, float | None]] = ()
    limit_mb: float | None = None
    #: Requests that the worker only counted, in words, by host.
    beyond: Sequence[str] = ()

    def of_step(self, step_id: str) -> list[Span]:
        """The step's spans in the order in which they began, an operation before its requests."""
        own = [item for item in self.operations if item.step_id == step_id]
        calls = [item for item in self.calls if item.step_id == step_id]
        begun = {item.number: item.since for item in own}

        def place(item: Span) -> tuple[int, bool, int]:
            call = isinstance(item, Call)
            first = begun.get(item.operation or 0) if isinstance(item, Call) else None
            return item.since if first is None else first, call, item.since

        return sorted([*own, *calls], key=place)

    def find(self, step_id: str | None, key: str | None) -> Span | None:
        """The span of an address."""
        every: list[Span] = [*self.operations, *self.calls]
        return next((s for s in every if s.key == key and s.step_id == step_id), None)

    def operation_of(self, span: Span | None) -> Operation | None:
        """The operation itself, or the one that made a request."""
        if not isinstance(span, Call):
            return span
        found = (o for o in self.operations if o.step_id == span.step_id)
        return next((o for o in found if o.number == span.operation), None)


def told(text: str | None) -> Told:
    """Read what `run:complete` brought."""
    document = json.loads(text) if text else None
    if not isinstance(document, dict):
        return Told()
    operations = [_operation(item) for item in _list(document, "operations")]
    calls = [_call(item) for item in _list(document, "requests")]
    beyond = document.get("requests_beyond")
    left = [_count(document.get(f"{name}_left_out")) for name in ("operations", "requests")]
    return Told(
        [item for item in operations if item is not None],
        [item for item in calls if item is not None],
        sum(number or 0 for number in left),
        [found for item in _list(document, "samples") if (found := _sample(item)) is not None],
        _count(document.get("memory_limit_mb")) or None,
        Beyond.read(beyond).rows if isinstance(beyond, dict) else (),
    )


def _operation(item: Json) -> Operation | None:
    if not isinstance(item, dict):
        return None
    number, since, took = (_count(item.get(name)) for name in ("number", "at_us", "us"))
    if number is None or since is None:
        return None
    return Operation(
        f"operation-{number}", _text(item, "step_id") or "", number,
        _text(item, "name") or "", _count(item.get("line")),
        since, None if took is None else since + took,
    )  # fmt: skip


def _call(item: Json) -> Call | None:
    if not isinstance(item, dict):
        return None
    number, since, took = (_count(item.get(name)) for name in ("number", "at_us", "ms"))
    if number is None or since is None:
        return None
    status, error, fate = _count(item.get("status")), _text(item, "error"), _text(item, "fate")
    method, host, path = (_text(item, name) or "" for name in ("method", "host", "path"))
    return Call(
        f"request-{number}", _text(item, "step_id") or "", number,
        _count(item.get("operation")), f"{method} {host}{path}".strip(),
        FATES.get(fate or "", fate or ""),
        _result(status, error, fate, unread=item.get("unread") is True),
        _count(item.get("bytes")), _text(item, "address"), _text(item, "key"),
        since, None if took is None else since + took * 1000,
        fate != "answered" or (status or 0) >= 400,
    )  # fmt: skip


def _result(status: int | None, error: str | None, fate: str | None, *, unread: bool) -> str:
    if status is None:
        return error or FATES_SHORT.get(fate or "", "")
    if fate == "failed":
        return say("%(status)s, the answer broke off", status=status)
    return say("%(status)s, its body was not read", status=status) if unread else str(status)


def _sample(item: Json) -> tuple[int, float, float | None] | None:
    if not isinstance(item, list) or len(item) != 3:
        return None
    at, memory, spent = _count(item[0]), _count(item[1]), _count(item[2])
    return None if at is None or memory is None else (at, memory, spent)


def _list(document: JsonObject, name: str) -> list[Json]:
    found = document.get(name)
    return found[:_ENTRIES] if isinstance(found, list) else []


def _text(item: JsonObject, name: str) -> str | None:
    value = item.get(name)
    return value[:_TEXT] if isinstance(value, str) and value else None


def _count(value: Json) -> int | None:
    """A number that can be drawn; no NaN, nothing below zero."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
        return None
    return round(value)
