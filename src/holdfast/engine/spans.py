"""When a run's operations and requests began and how long they took, and what it used. Pure.

All of it comes from the run's journal.

An operation begins with its PHASE record and ends with the next record of a phase, or with the end
of its step. What has no end was under way when the run ended. The first ones and the last ones
are kept; what lies between is counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from holdfast.engine.requests import Requests
from holdfast.journal import Record
from holdfast.model.json import Json, JsonObject
from holdfast.model.record import Kind

#: Records that are read; all others are passed over unread.
KINDS = frozenset(
    {
        Kind.LAUNCHED, Kind.PHASE, Kind.STEP_START, Kind.STEP_COMPLETE, Kind.REQUEST, Kind.SAMPLE,
        Kind.OUTCOME,
    }
)  # fmt: skip
#: Operations, and requests, that are told: the first, and the last.
FIRST, LAST = 200, 100
#: Characters of a text: the agent holds them until the run is delivered.
_LONGEST = 200
#: Samples that are kept: beyond, every second one goes.
_SAMPLES = 200


@dataclass(slots=True)
class _Kept:
    """The first and the last of a long list."""

    first: list[JsonObject] = field(default_factory=list)
    last: deque[JsonObject] = field(default_factory=lambda: deque(maxlen=LAST))
    count: int = 0

    def add(self, item: JsonObject) -> None:
        self.count += 1
        (self.first if len(self.first) < FIRST else self.last).append(item)

    def all(self) -> list[Json]:
        return [*self.first, *self.last]


@dataclass(slots=True)
class Spans:
    """Operations and requests of one run; `take` each record of its journal, in order."""

    _operations: _Kept = field(default_factory=_Kept)
    _requests: Requests = field(default_factory=lambda: Requests(longest=_LONGEST))
    _samples: list[Record] = field(default_factory=list)
    _every: int = 1  # one of so many samples is kept
    _passed: int = 0
    _limit_mb: Json = None
    _step: str | None = None  # id of the step that is open
    _open: JsonObject | None = None  # the operation that is under way

    def take(self, record: Record) -> None:
        """Read one record; those of other kinds are passed over."""
        if record.kind not in KINDS:
            return
        if record.kind in (Kind.REQUEST, Kind.OUTCOME):
            self._requests.take(record)
            return
        if record.kind == Kind.SAMPLE:
            self._sample(record)
            return
        if record.kind == Kind.LAUNCHED:
            self._limit_mb = record.shown().get("memory_limit_mb")
            return
        self._close(record.time_us)
        if record.kind == Kind.STEP_COMPLETE:
            self._step = None
            return
        body = record.shown()
        if record.kind == Kind.STEP_START:
            self._step = str(body.get("step_id"))
        elif body.get("operation") is not None and self._step is not None:
            self._open = {
                "step_id": self._step, "number": body["operation"], "name": body.get("call"),
                "line": body.get("line"), "at_us": record.time_us, "us": None,
            }  # fmt: skip
            self._operations.add(self._open)

    def _sample(self, record: Record) -> None:
        if self._passed % self._every == 0:
            self._samples.append(record)
        self._passed += 1
        if len(self._samples) > _SAMPLES:
            self._samples, self._every = self._samples[::2], self._every * 2

    def _close(self, now: int) -> None:
        if self._open is not None:
            self._open["us"] = max(0, now - int(str(self._open["at_us"])))
            self._open = None

    def build(self) -> JsonObject:
        """The document; `operations_left_out` and `requests_left_out` lie in the middle, requests
        that the run only counted come after all others."""
        requests = _Kept()
        for request in self._requests.known.values():
            requests.add(request.to_json())
        found, kept = self._operations.all(), requests.all()
        return {
            "operations": found,
            "operations_left_out": self._operations.count - len(found),
            "requests": kept,
            "requests_left_out": requests.count - len(kept),
            "requests_beyond": self._requests.beyond.to_json(),
            "memory_limit_mb": self._limit_mb,
            "samples": [_sample(record.shown()) for record in self._samples],
        }


def _sample(body: JsonObject) -> list[Json]:
    """Microseconds, mebibytes, milliseconds of a processor."""
    return [body.get("at"), body.get("memory_mb"), body.get("cpu_ms")]


def build(records: Iterable[Record]) -> JsonObject:
    """The document of one run (`Spans.build`)."""
    spans = Spans()
    for record in records:
        spans.take(record)
    return spans.build()
