"""From the frames of a run process to the records of its journal.

LOG, TRACE and REPORT bodies are appended as they came, once they are known to be JSON objects, so
that no reader of the journal can be tripped; what steers the outcome is looked into. Anything an
honest run process would not send is a ProtocolViolation (`docs/engine-protocol.md`).
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from holdfast import faults
from holdfast.engine.frames import FromRun
from holdfast.journal import RESERVE, BlobWriter, Journal, JournalFull
from holdfast.model.evidence import Place
from holdfast.model.json import Json, JsonObject
from holdfast.model.limits import MEBIBYTE
from holdfast.model.outcome import Outcome
from holdfast.model.record import Kind

_STREAM = struct.Struct("<I")
#: Bodies that are parsed: an inline document of 16 KiB, escaped twice over, and its frame.
_MAX_PARSED = 256 * 1024
_MAX_LOG = 4 * 1024 * 1024
_MAX_STREAMS = 8
#: Below this no part of a run is worth naming as the largest.
_LARGE = MEBIBYTE

_KEPT = frozenset({Kind.LOG, Kind.TRACE, Kind.REPORT})
_READ = frozenset({Kind.PHASE, Kind.STEP_START, Kind.STEP_COMPLETE, Kind.RESULT, Kind.RUN_ERROR})
#: What the compiler may send; the engine may send everything but these last two.
_COMPILERS = frozenset({Kind.PHASE, Kind.LOG, Kind.REPORT, Kind.RUN_ERROR})

#: How an end is told, and what of a record else goes into evidence.
_WORDS = ("error_type", "error_message")
_FLAT = (*_WORDS, "reason", "severity", "step", "subtype", "name")

_OMITTED: JsonObject = {"omitted": True}
#: What must be in the journal even if there is no room for all else.
_MARKS = frozenset({Kind.STEP_START, Kind.STEP_COMPLETE, Kind.RESULT, Kind.RUN_ERROR})


class ProtocolViolation(Exception):  # noqa: N818 - states a fact, as the outcome of this name does
    """The run process sent what no honest one sends."""


@dataclass(slots=True)
class OpenStep:
    """A step that has a STEP_START and no STEP_COMPLETE."""

    step_id: str
    job_id: str
    started: float  # monotonic seconds


def now_text() -> str:
    """The `timestamp` of a record: Unix microseconds, decimal."""
    return str(time.time_ns() // 1000)


def log_line(level: str, text: str) -> JsonObject:
    """Body of a LOG record of the worker's own, for the run's author."""
    return {"source": "RTE", "level": level, "message": [text], "timestamp": now_text()}


def closing(step: OpenStep, outcome: Outcome, duration: int, peak: int) -> JsonObject:
    """STEP_COMPLETE of a step that could not end itself. Milliseconds and bytes."""
    return {
        "step_id": step.step_id,
        "job_id": step.job_id,
        "timestamp": now_text(),
        "duration": duration,
        "thread_id": 0,
        "mem": {"job": peak, "system": peak},
        "reason": outcome.reason.value,
        "error_type": outcome.error_type,
        "error_message": outcome.error_message,
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
        self.data = (0, "")  # most embedded data of a step, and the step's name
        self.on_said_end: Callable[[], None] = lambda: None
        self._folder = folder
        self._left = document_bytes
        self._streams: dict[int, BlobWriter] = {}
        self._blobs: dict[int, JsonObject] = {}
        self._marks: list[tuple[int, Kind, JsonObject]] = []  # that may not be in the file yet
        self._refused: list[tuple[Kind, JsonObject]] = []

    @property
    def said_end(self) -> bool:
        """Whether the run process has said how the run ended."""
        return self.result is not None or self.error is not None

    def frame(self, sender: str, kind: int, body: bytes) -> None:
        """Take one frame of the `compiler` or the `engine`. Raises ProtocolViolation."""
        if self.said_end:
            self.late_frames += 1
            return
        faults.point("shim.record")
        if kind in _KEPT and (sender == "engine" or kind in _COMPILERS):
            self._keep(kind, body)
        elif kind in _READ and (sender == "engine" or kind in _COMPILERS):
            self._read(Kind(kind), _parsed(kind, body, _MAX_PARSED))
        elif kind == FromRun.BLOB and sender == "engine":
            self._blob(body)
        elif kind == FromRun.BLOB_END and sender == "engine":
            self._blob_end(body)
        else:
            message = f"the {sender} sent a frame of type {kind}"
            raise ProtocolViolation(message)

    def append(self, kind: Kind, body: JsonObject, *, essential: bool = False) -> None:
        """Append a record of the shim's own."""
        self.journal.append(kind, _text(body), essential=essential)

    def write_end(self, last: list[tuple[Kind, JsonObject]]) -> bool:
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

    def _discard(self, own: int) -> list[tuple[Kind, JsonObject]]:
        """What must be kept of the records that are forgotten now; the last `own` are known."""
        before = self.journal.sequence - own
        self.journal.discard_pending()
        marks = [mark for mark in self._marks if mark[0] > self.journal.sequence]
        self._marks = []
        lost = before - self.journal.sequence - len(marks)
        text = f"There was no room on the disk for {lost} records of this run, log lines mostly."
        note = (Kind.LOG, log_line("warn", text))
        kept = [
            (kind, {**body, "output": _OMITTED} if kind is Kind.STEP_COMPLETE else body)
            for _, kind, body in marks
        ]
        if sum(len(_text(body)) for _, body in kept) > RESERVE // 2:
            kept = []  # the outcome would not fit
        return [note, *kept] if lost > 0 else kept

    def closing_records(self, outcome: Outcome, peak: int) -> list[tuple[Kind, JsonObject]]:
        """Ends for the steps that are still open, with the outcome's reason. `peak` in bytes."""
        records: list[tuple[Kind, JsonObject]] = []
        for step in self.open_steps.values():
            duration = round((time.monotonic() - step.started) * 1000)
            records.append((Kind.STEP_COMPLETE, closing(step, outcome, duration, peak)))
        return records

    def abandon_streams(self) -> None:
        """Remove documents that were not finished."""
        for writer in self._streams.values():
            writer.abandon()
        self._streams.clear()

    def _keep(self, kind: int, body: bytes) -> None:
        value = _parsed(kind, body, _MAX_LOG)
        if kind == Kind.REPORT:
            size, name = value.get("data_bytes"), value.get("name")
            if isinstance(size, int) and isinstance(name, str):
                self.data = max(self.data, (size, name[:200]))
        self.journal.append(kind, body)

    def largest(self) -> str | None:
        """The largest part of the run that is known, in words; None when nothing is large."""
        parts = [
            (self.data[0], f'data embedded in the code of "{self.data[1]}"'),
            (_size(self._folder / "plan.json"), "the code of the workflow"),
            (_size(self._folder / "input.json"), "the input"),
        ]
        size, name = max(parts)
        return f"{name} ({size / MEBIBYTE:.1f} MB)" if size >= _LARGE else None

    def _read(self, kind: Kind, body: JsonObject) -> None:
        _check_words(kind, body)
        if kind is Kind.PHASE:
            operation = body.get("operation")
            self.place = Place(
                _word(body, "phase"),
                _optional(body, "step"),
                operation if isinstance(operation, int) else None,
                _optional(body, "name"),
            )
        elif kind is Kind.STEP_START:
            self.user_code = True
            step = OpenStep(_word(body, "step_id"), _word(body, "job_id"), time.monotonic())
            if step.step_id in self.open_steps:
                message = f"step {step.step_id} was started twice"
                raise ProtocolViolation(message)
            self.open_steps[step.step_id] = step
        elif (
            kind is Kind.STEP_COMPLETE
            and self.open_steps.pop(_word(body, "step_id"), None) is None
        ):
            message = "a step was completed that was not open"
            raise ProtocolViolation(message)
        changed = self._with_documents(body)
        sequence = self.journal.append(kind, _text(changed))
        if kind in _MARKS:
            written = self.journal.written
            self._marks = [mark for mark in self._marks if mark[0] > written]
            self._marks.append((sequence, kind, changed))
        if kind in (Kind.RESULT, Kind.RUN_ERROR):
            self._said(kind, body)

    def _said(self, kind: Kind, body: JsonObject) -> None:
        if kind is Kind.RESULT:
            self.result = {name: body.get(name) for name in ["reason", *_WORDS]}
        else:
            names = [*_WORDS, "severity", "step", "subtype", "position"]
            self.error = {name: body[name] for name in names if name in body}
        self.on_said_end()

    def _with_documents(self, body: JsonObject) -> JsonObject:
        """The body with every streamed document replaced by the blob's name."""
        changed: dict[str, Json] = {}
        for key, value in body.items():
            if isinstance(value, dict) and "stream" in value:
                number = value["stream"]
                blob = self._blobs.pop(number, None) if isinstance(number, int) else None
                if blob is None or blob["bytes"] != value.get("bytes"):
                    message = f"{key} names a document that has not come whole"
                    raise ProtocolViolation(message)
                rest = {k: v for k, v in value.items() if k not in ("stream", "bytes")}
                changed[key] = {**rest, **blob}
            elif isinstance(value, dict) and "blob" in value:
                message = f"{key} names a file of the journal"
                raise ProtocolViolation(message)
            else:
                changed[key] = value
        return changed

    def _blob(self, body: bytes) -> None:
        number = _stream_number(body)
        writer = self._streams.get(number)
        if writer is None:
            if len(self._streams) + len(self._blobs) >= _MAX_STREAMS:
                message = "too many documents at once"
                raise ProtocolViolation(message)
            writer = self._streams[number] = BlobWriter(self._folder)
        data = body[_STREAM.size :]
        self._left -= len(data)
        if self._left < 0:
            raise DocumentsTooLarge
        writer.write(data)

    def _blob_end(self, body: bytes) -> None:
        number = _stream_number(body)
        writer = self._streams.pop(number, None) or BlobWriter(self._folder)
        size = writer.bytes
        self._blobs[number] = {"blob": writer.finish(), "bytes": size}


class DocumentsTooLarge(Exception):  # noqa: N818 - as above
    """The documents of a run exceed what its journal may hold."""


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


def _parsed(kind: int, body: bytes, limit: int) -> JsonObject:
    if len(body) > limit:
        message = f"a record of type {Kind(kind).name} with {len(body)} bytes"
        raise ProtocolViolation(message)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        message = f"a record of type {Kind(kind).name} that is not JSON"
        raise ProtocolViolation(message) from error
    if not isinstance(value, dict):
        message = f"a record of type {Kind(kind).name} that is no JSON object"
        raise ProtocolViolation(message)
    return cast("JsonObject", value)


def _check_words(kind: Kind, body: JsonObject) -> None:
    """What goes into evidence must be flat: others stand deeper than we when they look into it."""
    values = [body.get(name) for name in _FLAT]
    position = body.get("position")
    values += position.values() if isinstance(position, dict) else [position]
    if any(isinstance(value, dict | list) for value in values):
        message = f"a record of type {kind.name} with more than words"
        raise ProtocolViolation(message)


def _word(body: JsonObject, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        message = f"a record without {name}"
        raise ProtocolViolation(message)
    return value[:1000]


def _optional(body: JsonObject, name: str) -> str | None:
    value = body.get(name)
    return value[:1000] if isinstance(value, str) else None


def _text(body: JsonObject) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
