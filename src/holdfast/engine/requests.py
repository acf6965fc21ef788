"""What a run asked of other systems, from its journal. Pure.

A request is told when it is sent and when it ends. One without an end is *under way*: whether the
other system carried it out is not known. Nothing is said beyond what was seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from holdfast.journal import Record
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind

ANSWERED, FAILED, UNKNOWN = "answered", "failed", "under way: fate unknown"
#: Requests of one run that are kept; the engine tells of no more.
_MOST = 1000


@dataclass(slots=True)
class Request:
    """One request; `ms` until its end, `bytes` of what was sent."""

    number: int
    job: str | None
    operation: int | None
    method: str
    host: str
    path: str
    fate: str = UNKNOWN
    status: int | None = None
    error: str | None = None
    ms: int | None = None
    bytes: int | None = None

    def to_json(self) -> JsonObject:
        """Without what is not known."""
        whole: JsonObject = {name: getattr(self, name) for name in self.__slots__}
        return {key: value for key, value in whole.items() if value is not None}

    @property
    def row(self) -> str:
        """One line for a person."""
        end = f"{self.status}" if self.status is not None else self.error or ""
        took = f"{self.ms} ms" if self.ms is not None else ""
        where = f"{self.job or '?'}" + (f" op {self.operation}" if self.operation else "")
        words = f"{self.number:>4}  {where:<20} {self.method:<6} {self.host}{self.path}"
        return f"{words}  {self.fate} {end} {took}".rstrip()


@dataclass(slots=True)
class Requests:
    """The requests of one run, in the order in which they were sent."""

    known: dict[int, Request] = field(default_factory=dict)
    _jobs: dict[str, str] = field(default_factory=dict)

    def take(self, record: Record) -> None:
        """Read one record; those of other kinds are passed over."""
        if record.kind == Kind.STEP_START:
            body = record.shown()
            self._jobs[str(body.get("step_id"))] = str(body.get("job_id"))
        elif record.kind == Kind.REQUEST:
            self._request(record.shown())

    def _request(self, body: JsonObject) -> None:
        number = _whole(body.get("number")) or 0
        if body.get("what") == "sent" and len(self.known) < _MOST:
            self.known[number] = Request(
                number,
                self._jobs.get(str(body.get("step_id"))),
                _whole(body.get("operation")),
                str(body.get("method")),
                str(body.get("host")),
                str(body.get("path")),
                bytes=_whole(body.get("bytes")),
            )
        elif (request := self.known.get(number)) is not None:
            error = body.get("error")
            request.fate = ANSWERED if body.get("what") == "answered" else FAILED
            request.status, request.ms = _whole(body.get("status")), _whole(body.get("ms"))
            request.error = None if error is None else str(error)

    def counts(self) -> dict[str, int]:
        """How many of each fate."""
        fates = [request.fate for request in self.known.values()]
        return {fate: fates.count(fate) for fate in (ANSWERED, FAILED, UNKNOWN)}


def requests_of(records: Iterable[Record]) -> Requests:
    """All requests of one run."""
    found = Requests()
    for record in records:
        found.take(record)
    return found


def _whole(value: object) -> int | None:
    return round(value) if isinstance(value, int | float) else None
