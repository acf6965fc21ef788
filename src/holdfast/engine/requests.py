"""What a run asked of other systems, from its journal. Pure.

A request is told when it is written to a connection, when its answer begins and when it ends. One
that was written and has no answer is *under way*: whether the other system carried it out is not
known. One that was made and never written *never left*. Those beyond the first are counted. The
egress broker tells of connections, from outside of the run: one on which no request was told is
shown as such. Where the process that writes the journal died, its last records may be lost: then
nothing *never left*. Nothing is said beyond what was seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from holdfast.journal import Record
from holdfast.model.beyond import Beyond
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind

ANSWERED, FAILED, UNKNOWN = "answered", "failed", "under way: fate unknown"
NEVER = "never left"
FATES = (ANSWERED, FAILED, UNKNOWN, NEVER)
#: Requests of one run that are kept one by one; the engine counts the others.
_MOST = 1000


@dataclass(slots=True)
class Request:
    """One request; `at_us`: when it was made, `ms` until its end, `bytes` of what was sent,
    `key` for idempotency. `unread`: its status has come, and not the end of its answer.
    """

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
    address: str | None = None
    key: str | None = None
    step_id: str | None = None
    at_us: int | None = None
    job_name: str | None = None
    unread: bool | None = None

    def to_json(self) -> JsonObject:
        """Without what is not known."""
        whole: JsonObject = {name: getattr(self, name) for name in self.__slots__}
        return {key: value for key, value in whole.items() if value is not None}

    @classmethod
    def from_json(cls, value: JsonObject) -> Request:
        """The reverse of `to_json`; what is missing or strange is left out."""
        number, job, error = _whole(value.get("number")) or 0, value.get("job"), value.get("error")
        method, host, path = (str(value.get(name) or "?") for name in ("method", "host", "path"))
        known = cls(number, None if job is None else str(job), None, method, host, path)
        known.operation, known.bytes = _whole(value.get("operation")), _whole(value.get("bytes"))
        known.status, known.ms = _whole(value.get("status")), _whole(value.get("ms"))
        known.error = None if error is None else str(error)
        known.address = _text(value.get("address"))
        known.key = _text(value.get("key"))
        known.step_id = _text(value.get("step_id"))
        known.at_us = _whole(value.get("at_us"))
        known.job_name = _text(value.get("job_name"))
        known.unread = True if value.get("unread") is True else None
        known.fate = fate if (fate := str(value.get("fate"))) in FATES else UNKNOWN
        return known

    @property
    def row(self) -> str:
        """One line for a person."""
        end = f"{self.status}" if self.status is not None else self.error or ""
        took = f"{self.ms} ms" if self.ms is not None else ""
        where = f"{self.job_name or self.job or '?'}" + (
            f" op {self.operation}" if self.operation else ""
        )
        if self.fate == ANSWERED and self.unread:
            end += ", its body was not read to its end"
        elif self.fate == FAILED and self.status is not None:
            end += f", but the answer broke off ({self.error or 'no reason is known'})"
        elif self.fate == FAILED and self.address is not None:
            end += " after it was sent: it may have been carried out"
        key = f"  key {self.key}" if self.key is not None else ""
        words = f"{self.number:>4}  {where:<20} {self.method:<6} {self.host}{self.path}"
        return f"{words}  {self.fate} {end} {took}".rstrip() + key


@dataclass(slots=True)
class Requests:
    """The requests of one run, in the order in which they were made."""

    known: dict[int, Request] = field(default_factory=dict)
    #: Characters that are kept of each text.
    longest: int = 1000
    _jobs: dict[str, str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    #: Address -> connections that the broker saw begin; None where no broker looked.
    connections: dict[str, int] | None = None
    #: The journal's last records may be lost: requests that left last may be missing.
    cut: bool = False
    #: Requests that are not told one by one, by host.
    beyond: Beyond = field(default_factory=Beyond)

    def take(self, record: Record) -> None:
        """Read one record; those of other kinds are passed over."""
        if record.kind == Kind.STEP_START:
            body = record.shown()
            self._jobs[str(body.get("step_id"))] = str(body.get("job_id"))
        elif record.kind == Kind.PHASE:
            body = record.shown()
            if isinstance(name := body.get("name"), str) and len(self._names) < _MOST:
                self._names[str(body.get("step"))] = name
        elif record.kind == Kind.REQUEST:
            self._request(record.shown())
        elif record.kind == Kind.OUTCOME:
            self._outcome(record.shown())

    def _outcome(self, body: JsonObject) -> None:
        evidence = body.get("evidence")
        notes = evidence.get("notes") if isinstance(evidence, dict) else None
        if isinstance(evidence, dict) and evidence.get("loss") is not None:
            self.cut = True
            for request in self.known.values():
                request.fate = UNKNOWN if request.fate == NEVER else request.fate
        seen = notes.get("connections") if isinstance(notes, dict) else None
        if isinstance(seen, dict):
            self.connections = {place: _whole(count) or 0 for place, count in seen.items()}

    @property
    def untold(self) -> dict[str, int]:
        """Connections on which no request was told, by address."""
        told = {request.address for request in self.known.values()} | self.beyond.addresses
        seen = self.connections or {}
        return {place or "other addresses": seen[place] for place in seen if place not in told}

    def _request(self, body: JsonObject) -> None:
        number = _whole(body.get("number")) or 0
        what = body.get("what")
        if what == "more":
            self.beyond = Beyond.read(body)
            return
        told_whole = what in ("made", "sent", "failed")
        if told_whole and number not in self.known and len(self.known) < _MOST:
            job = self._jobs.get(str(body.get("step_id")))
            self.known[number] = Request(
                number,
                job,
                _whole(body.get("operation")),
                str(body.get("method"))[: self.longest],
                str(body.get("host"))[: self.longest],
                str(body.get("path"))[: self.longest],
                fate=NEVER,
                bytes=_whole(body.get("bytes")),
                key=self._kept(body.get("key")),
                step_id=self._kept(body.get("step_id")),
                at_us=_moment(body.get("timestamp")),
                job_name=None if job is None else self._names.get(job),
            )
        if (request := self.known.get(number)) is None:
            return
        if what == "sent":
            request.fate = UNKNOWN
            request.address = self._kept(body.get("address"))
            request.key = self._kept(body.get("key"))
        elif what == "begun":
            request.fate, request.unread = ANSWERED, True
            request.status = _whole(body.get("status"))
        elif what != "made":
            error = body.get("error")
            request.fate, request.unread = ANSWERED if what == "answered" else FAILED, None
            request.status, request.ms = _whole(body.get("status")), _whole(body.get("ms"))
            request.error = None if error is None else str(error)[: self.longest]

    def _kept(self, value: object) -> str | None:
        return None if (text := _text(value)) is None else text[: self.longest]

    def counts(self) -> dict[str, int]:
        """How many of each fate, with those that are only counted."""
        fates = [request.fate for request in self.known.values()]
        more = self.beyond
        never = 0 if self.cut else more.never
        others = (more.answered, more.failed, more.under_way + more.never - never, never)
        return {fate: fates.count(fate) + other for fate, other in zip(FATES, others, strict=True)}


def requests_of(records: Iterable[Record]) -> Requests:
    """All requests of one run."""
    found = Requests()
    for record in records:
        found.take(record)
    return found


def _moment(value: object) -> int | None:
    """Microseconds, from a timestamp of a journal."""
    plain = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20
    return int(str(value)) if plain else None


def _whole(value: object) -> int | None:
    return round(value) if isinstance(value, int | float) else None


def _text(value: object) -> str | None:
    return str(value) if value else None
