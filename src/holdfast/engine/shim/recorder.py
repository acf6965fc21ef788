"""From the frames of a run process to the records of its journal.

A body must be JSON of the shape that `holdfast.model.bodies` defines for its kind: finite numbers,
limited depth. So every reader of the journal can read it. Anything else is a ProtocolViolation
(`docs/engine-protocol.md`). The memory used is bounded.
"""

from __future__ import annotations

import struct
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

from holdfast import faults
from holdfast.engine.frames import FromRun
from holdfast.engine.shim.asked import Asked
from holdfast.journal import BlobWriter, Journal, JournalFull
from holdfast.model import bodies
from holdfast.model.bodies import SHAPES
from holdfast.model.cut import cut_text, size_of
from holdfast.model.evidence import Place
from holdfast.model.json import JsonObject, Unfit, parse_fit
from holdfast.model.limits import MEBIBYTE
from holdfast.model.outcome import Outcome
from holdfast.model.record import Kind
from holdfast.model.scrubber import Scrubber

#: A body of any kind.
Body: TypeAlias = Mapping[str, object]

_STREAM = struct.Struct("<I")
#: Bodies with words and documents: an inline one of 16 KiB, escaped twice over, and its frame.
_MAX_PARSED = 256 * 1024
_MAX_LOG = 4 * 1024 * 1024
#: Documents at a time: begun, or complete and not yet named by a record.
_MAX_STREAMS = 8
#: A document counts at least this much of the run's budget, because each file costs disk space.
_FILE_BYTES = 4096
#: Most open steps at a time (our engine has one), and most steps of one run.
MAX_OPEN_STEPS = 16
MAX_STEPS = 20_000
#: What may be written into the journal's reserve when the disk is full, in bytes: records that
#: wait, names of all open steps, their messages. The outcome (`MOST_BYTES`) goes there too.
_WAITING_BYTES, _NAMES_BYTES, _MESSAGES_BYTES = 48 * 1024, 12 * 1024, 8 * 1024
#: The largest part of a run is named in messages only from this size on.
_LARGE = MEBIBYTE
_SHOWN = 200  # characters of what the compiler tells of a step

#: What each process may send.
_ALLOWED = {
    "compiler": frozenset({Kind.PHASE, Kind.LOG, Kind.REPORT, Kind.RUN_ERROR}),
    "engine": frozenset(
        {
            Kind.PHASE,
            Kind.LOG,
            Kind.STEP_START,
            Kind.STEP_COMPLETE,
            Kind.RESULT,
            Kind.RUN_ERROR,
            Kind.REQUEST,
        }
    ),
    "step": frozenset(
        {
            Kind.PHASE,
            Kind.LOG,
            Kind.STEP_START,
            Kind.STEP_COMPLETE,
            Kind.RUN_ERROR,
            Kind.REQUEST,
        }
    ),
}
#: Kinds whose bodies are appended unchanged.
_KEPT = frozenset({Kind.LOG, Kind.REPORT})
#: Where documents may stand, and how they may lie there.
_DOCUMENTS = ("output", "webhook_response_document", "final_state", "exchange", "tape")
_FORMS = frozenset({"inline", "stream", "withheld", "omitted"})

#: Parts of records that may repeat what job code or an adaptor has said, or what it has sent.
_TOLD = frozenset(
    {
        *("message", "error_type", "error_message", "position", "details", "subtype", "facts"),
        *("method", "host", "path", "key", "error", "open", "hosts"),
    }
)
#: How an end is told, and what of a record else goes into evidence.
_WORDS = ("error_type", "error_message")

_OMITTED: bodies.Document = {"omitted": True}
#: Kinds that are written even when the disk has no room for the rest.
_MARKS = frozenset({Kind.STEP_START, Kind.STEP_COMPLETE, Kind.RESULT, Kind.RUN_ERROR})


class ProtocolViolation(Exception):  # noqa: N818 - states a fact, as the outcome of this name does
    """The run process sent something that ours never sends."""


@dataclass(slots=True)
class OpenStep:
    """A step that has a STEP_START and no STEP_COMPLETE."""

    step_id: str
    job_id: str
    started: float  # monotonic seconds


def now_text() -> str:
    """The `timestamp` of a record: Unix microseconds, decimal."""
    return str(time.time_ns() // 1000)


def log_line(level: bodies.Level, text: str) -> bodies.Log:
    """Body of a LOG record of the worker's own, for the run's author."""
    return {"source": "RTE", "level": level, "message": [text], "timestamp": now_text()}


def closing(
    step: OpenStep, outcome: Outcome, duration: int, peak: int, *, steps: int = 1
) -> bodies.StepComplete:
    """STEP_COMPLETE of one of `steps` that could not end themselves. Milliseconds and bytes."""
    most = _MESSAGES_BYTES // steps
    message = outcome.error_message
    return {
        "step_id": step.step_id,
        "job_id": step.job_id,
        "timestamp": now_text(),
        "duration": duration,
        "thread_id": 0,
        "mem": {"job": peak, "system": peak},
        "reason": outcome.reason.value,
        "error_type": outcome.error_type and cut_text(outcome.error_type, most // 4),
        "error_message": message and cut_text(message, most * 3 // 4),
        "next": [],
        "output": _OMITTED,
        "measures": {},
    }


class Recorder:
    """Appends to one run's journal and remembers what the outcome will need."""

    def __init__(self, journal: Journal, folder: Path, document_bytes: int) -> None:
        self.journal = journal
        self.place = Place()
        self.open_steps: dict[str, OpenStep] = {}
        self.result: JsonObject | None = None
        self.error: JsonObject | None = None
        self.late_frames = 0
        self.user_code = False
        #: Most embedded data of a step: bytes, the step's name, holders, memory to load it (MB).
        self.data = (0, "", "", 0.0)
        self.on_said_end: Callable[[], None] = lambda: None
        #: The one job that the process which talks may tell of; None: any.
        self.only_job: str | None = None
        #: Cleans what is told, where the process that tells it does not know all secrets.
        self.scrubber: Scrubber | None = None
        #: Is told of each step that ended, once that stands in the journal.
        self.on_step: Callable[[JsonObject], None] = lambda _: None
        #: What the engine told of an error beyond its words.
        self.facts: JsonObject = {}
        self.asked = Asked()
        self._started = 0  # steps
        self._folder = folder
        self._left = document_bytes
        self._streams: dict[int, BlobWriter] = {}
        self._blobs: dict[int, JsonObject] = {}
        # those that may not be in the file yet
        self._marks: deque[tuple[int, Kind, Body]] = deque()
        self._refused: list[tuple[Kind, Body]] = []

    @property
    def said_end(self) -> bool:
        """Whether the run process has said how the run ended."""
        return self.result is not None or self.error is not None

    def frame(self, sender: str, kind: int, body: bytes) -> None:
        """Take one frame of the `compiler`, the `engine` or a `step`. Raises ProtocolViolation."""
        if self.said_end:
            self.late_frames += 1
            return
        faults.point("shim.record")
        if kind in _ALLOWED[sender]:
            self._record(Kind(kind), body)
        elif kind == FromRun.BLOB and sender != "compiler":
            self._blob(body)
        elif kind == FromRun.BLOB_END and sender != "compiler":
            self._blob_end(body)
        else:
            message = f"the {sender} sent a frame of type {kind}"
            raise ProtocolViolation(message)

    def append(self, kind: Kind, body: Mapping[str, object], *, essential: bool = False) -> None:
        """Append a record of the shim's own."""
        self.journal.append(kind, bodies.encode(body), essential=essential)

    def write_end(self, last: Sequence[tuple[Kind, Body]]) -> bool:
        """Write what waits and the end of the run; False if the disk refused: to be tried again.

        Where there is no room for what waits, only what steers the run is written, into the
        journal's reserve: its steps and its result, without the documents of the steps.
        """
        with suppress(JournalFull, OSError):
            self.journal.flush(sync=False)
        try:
            for kind, body in (*self._refused, *last):
                self.append(kind, body, essential=True)
            self.journal.flush()
        except (JournalFull, OSError):
            appended = len(self._refused) + len(last)
            self._refused += self._discard(appended)
            return False
        return True

    def _discard(self, own: int) -> list[tuple[Kind, Body]]:
        """What must be kept of the records that are forgotten now; the last `own` are known."""
        before = self.journal.sequence - own
        self.journal.discard_pending()
        marks = [mark for mark in self._marks if mark[0] > self.journal.sequence]
        self._marks.clear()
        lost = before - self.journal.sequence - len(marks)
        text = f"There was no room on the disk for {lost} records of this run, log lines mostly."
        note = (Kind.LOG, log_line("warn", text))
        kept = [
            (kind, {**body, "output": _OMITTED} if kind is Kind.STEP_COMPLETE else body)
            for _, kind, body in marks
        ]
        if sum(len(bodies.encode(body)) for _, body in kept) > _WAITING_BYTES:
            kept = []  # the outcome would not fit
        return [note, *kept] if lost > 0 else kept

    def closing_records(self, outcome: Outcome, peak: int) -> list[tuple[Kind, Body]]:
        """Ends for the steps that are still open, with the outcome's reason. `peak` in bytes."""
        records: list[tuple[Kind, Body]] = []
        for step in self.open_steps.values():
            duration = round((time.monotonic() - step.started) * 1000)
            end = closing(step, outcome, duration, peak, steps=len(self.open_steps))
            records.append((Kind.STEP_COMPLETE, end))
        return records

    def abandon_streams(self) -> None:
        """Remove documents that were not finished."""
        for writer in self._streams.values():
            writer.abandon()
        self._streams.clear()

    def forget_process(self) -> None:
        """The process of a step has ended well: nothing of it may be open any more."""
        if self.open_steps:
            message = "a process ended before the step that it had started"
            raise ProtocolViolation(message)
        self.abandon_streams()
        self._blobs.clear()

    def _record(self, kind: Kind, body: bytes) -> None:
        value = _parsed(kind, body)
        if self.scrubber is not None and any(name in value for name in _TOLD):
            value = {
                name: self.scrubber.clean_value(item) if name in _TOLD else item
                for name, item in value.items()
            }
            body = bodies.encode(value)
        if kind is Kind.REPORT:
            name, holders = str(value["name"])[:_SHOWN], _holders(value["data"])
            found = (value["data_bytes"], name, holders, value["forecast_mb"])
            self.data = max(self.data, found)
        if kind in _KEPT:
            self.journal.append(kind, body)
        else:
            self._read(kind, value, body)

    def largest(self) -> str | None:
        """The largest part of the run that is known, in words; None when nothing is large."""
        parts = [
            (self.data[0], f'data embedded in the code of "{self.data[1]}"'),
            (_size(self._folder / "plan.json"), "the code of the workflow"),
            (_size(self._folder / "input.json"), "the input"),
        ]
        size, name = max(parts)
        return f"{name} ({size / MEBIBYTE:.1f} MB)" if size >= _LARGE else None

    def embedded(self) -> JsonObject | None:
        """The data in the code of the step that has most of it; None when it is little."""
        size, _, holders, needs = self.data
        if size < _LARGE:
            return None
        return {"bytes": size, "holders": holders, "forecast_mb": needs}

    def _read(self, kind: Kind, body: dict[str, Any], text: bytes) -> None:
        told = body
        if kind is Kind.PHASE:
            self.place = Place(*map(body.get, ("phase", "step", "operation", "name")))
        elif kind is Kind.REQUEST:
            body = self._asked(body)
        elif kind is Kind.STEP_START:
            self._open(OpenStep(body["step_id"], body["job_id"], time.monotonic()))
        elif kind is Kind.STEP_COMPLETE and body["step_id"] not in self.open_steps:
            message = "a step was completed that was not open"
            raise ProtocolViolation(message)
        changed = self._with_documents(body)
        whole = text if changed is told else bodies.encode(changed)
        sequence = self.journal.append(kind, whole)
        if kind is Kind.STEP_COMPLETE:  # only now: without room for it, it is closed at the end
            del self.open_steps[body["step_id"]]
            if "facts" in body:
                self.on_step(body)
        if kind in _MARKS:
            written = self.journal.written
            while self._marks and self._marks[0][0] <= written:
                self._marks.popleft()
            self._marks.append((sequence, kind, changed))
        if kind in (Kind.RESULT, Kind.RUN_ERROR):
            self._said(kind, body)

    def _asked(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.asked.take(body)
        except ValueError as error:
            raise ProtocolViolation(str(error)) from None

    def _open(self, step: OpenStep) -> None:
        self.user_code = True
        self._started += 1
        if self.only_job is not None and step.job_id != self.only_job:
            message = f"the process of step {self.only_job:.80} started another step"
        elif step.step_id in self.open_steps:
            message = f"step {step.step_id:.80} was started twice"
        elif len(self.open_steps) >= MAX_OPEN_STEPS:
            message = f"more than {MAX_OPEN_STEPS} steps were open at once"
        elif self._started > MAX_STEPS:
            message = f"more than {MAX_STEPS} steps were started"
        elif sum(map(_names_bytes, (step, *self.open_steps.values()))) > _NAMES_BYTES:
            message = "the names of the open steps are too long"
        else:
            self.open_steps[step.step_id] = step
            return
        raise ProtocolViolation(message)

    def _said(self, kind: Kind, body: JsonObject) -> None:
        if kind is Kind.RESULT:
            self.result = {name: body.get(name) for name in ["reason", *_WORDS]}
        else:
            names = [*_WORDS, "severity", "step", "subtype", "position"]
            self.error = {name: body[name] for name in names if name in body}
            self.facts = cast("JsonObject", body.get("facts") or {})
        self.on_said_end()

    def _with_documents(self, body: JsonObject) -> JsonObject:
        """The body with every streamed document replaced by the blob's name."""
        found = {name: body[name] for name in _DOCUMENTS if name in body}
        if not found:
            return body
        return {**body, **{name: self._document(name, value) for name, value in found.items()}}

    def _document(self, name: str, value: Any) -> JsonObject:
        if len(value.keys() & _FORMS) != 1 or "blob" in value:
            message = f"{name} is no document"
            raise ProtocolViolation(message)
        if "stream" not in value:
            return cast("JsonObject", value)
        blob = self._blobs.pop(value["stream"], None)
        if blob is None or blob["bytes"] != value.get("bytes"):
            message = f"{name} names a document that has not come whole"
            raise ProtocolViolation(message)
        return blob

    def _blob(self, body: bytes) -> None:
        number = _stream_number(body)
        writer = self._streams.get(number) or self._begin(number)
        data = body[_STREAM.size :]
        self._charge(len(data))
        writer.write(data)

    def _blob_end(self, body: bytes) -> None:
        number = _stream_number(body)
        writer = self._streams.get(number) or self._begin(number)
        del self._streams[number]
        size = writer.bytes
        self._blobs[number] = {"blob": writer.finish(), "bytes": size}

    def _begin(self, number: int) -> BlobWriter:
        if number in self._blobs or len(self._streams) + len(self._blobs) >= _MAX_STREAMS:
            message = "too many documents at once"
            raise ProtocolViolation(message)
        self._charge(_FILE_BYTES)
        writer = self._streams[number] = BlobWriter(self._folder)
        return writer

    def _charge(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise DocumentsTooLarge


class DocumentsTooLarge(Exception):  # noqa: N818 - as above
    """The documents of a run exceed what its journal may hold."""


def _holders(items: list[JsonObject]) -> str:
    """The names that hold most of a step's data, and their lines."""
    named = (f"{item.get('name')} (line {item.get('first_line')})" for item in items[:3])
    return ", ".join(named)[:_SHOWN]


def _names_bytes(step: OpenStep) -> int:
    return size_of(step.step_id) + size_of(step.job_id)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _stream_number(body: bytes) -> int:
    if len(body) < _STREAM.size:
        message = "a piece of a document without its number"
        raise ProtocolViolation(message)
    return int(_STREAM.unpack_from(body)[0])


def _parsed(kind: Kind, body: bytes) -> dict[str, Any]:
    """The body of a record as the definition of its kind has it. Raises ProtocolViolation."""
    if len(body) > (_MAX_LOG if kind in _KEPT else _MAX_PARSED):
        message = f"a record of type {kind.name} with {len(body)} bytes"
        raise ProtocolViolation(message)
    try:
        value = parse_fit(body)
    except Unfit as error:
        message = f"a record of type {kind.name}: {error}"
        raise ProtocolViolation(message) from error
    if (problem := SHAPES[kind].problem(value)) is not None:
        message = f"a record of type {kind.name} {problem}"
        raise ProtocolViolation(message)
    return cast("dict[str, Any]", value)
