"""Turns journal records into the events that a platform receives. Pure.

Formats: `docs/spec/worker-protocol.md` 4.5 to 4.9. A record always gives the same events with the
same ids, so that a platform can recognise a repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias, cast

from holdfast.journal import Record
from holdfast.model.bodies import SHAPES
from holdfast.model.json import Json, JsonObject, check_json, refuse_depth
from holdfast.model.limits import MEBIBYTE
from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from holdfast.model.value import value
from holdfast.protocol import messages
from holdfast.protocol.frames import Raw, dumps
from holdfast.protocol.messages import (
    LogLine,
    RunComplete,
    RunStart,
    StepComplete,
    StepStart,
)
from holdfast.worker.outbox import lines
from holdfast.worker.outbox.clean import clean_json, quoted

REDACTED = "[REDACTED]"
REDACTED_LOG = "[REDACTED: Message length exceeds payload limit]"
#: Replaces a line that the platform refuses, though it is not too long.
REFUSED_LOG = "[This line is missing: the platform cannot take what it says.]"
#: What `check_json` said of documents, by the digest of their content: what one step leaves is
#: often what the next one leaves, and what the run ends with.
_CHECKED: dict[str, bool] = {}
_MOST_CHECKED = 256

#: Nothing is left out of an event.
_WHOLE: frozenset[str] = frozenset()

#: Gives the JSON text of a document that the journal names.
ReadDocument: TypeAlias = Callable[[JsonObject], str]


class Unreadable(Exception):  # noqa: N818 - said of the document
    """A document of an event cannot be sent; `part` is what to leave out (`Event.leaving_out`)."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(f"{part}: {why}")
        self.part = part


@value
class Event:
    """One event to deliver. `without` names what is left out because the platform refused it."""

    name: str
    body: RunStart | StepStart | StepComplete | LogLine | RunComplete
    document: JsonObject | None = None
    response: JsonObject | None = None  # the answer to a webhook, where it is a document
    without: frozenset[str] = frozenset()
    size: int = 0  # bytes of the record it is from, where they are what is sent: a log line
    text: str = ""  # of a log line: its JSON, if it can be sent so

    @property
    def is_log(self) -> bool:
        return isinstance(self.body, LogLine)

    @property
    def is_final(self) -> bool:
        return isinstance(self.body, RunComplete)

    @property
    def step_id(self) -> str | None:
        """The step that the event names."""
        if "step_id" in self.without:
            return None
        step: str | None = getattr(self.body, "step_id", None)
        return step

    @property
    def bytes(self) -> int:
        """An estimate of the size of its frame, before it is rendered."""
        document = self.document
        if document is None:
            return 500 + self.size
        size = document.get("bytes")
        inline = document.get("inline")
        known = len(inline) if isinstance(inline, str) else 0
        return 500 + self.size + (size if isinstance(size, int) else known)

    def leaving_out(self, name: str) -> Event:
        """The event without one of its parts (see `alternatives`)."""
        return replace(self, without=self.without | {name})


def output_id(event: Event) -> str | None:
    """The id that the event gives to the output of its step; None if it names none."""
    body, document = event.body, event.document
    if not isinstance(body, StepComplete) or document is None or "withheld" in document:
        return None
    return None if event.without & {"output", "large output"} else body.output_dataclip_id


def events_of(
    record: Record, result: JsonObject | None, tell: Callable[[str], None] = lambda _: None
) -> list[Event]:
    """The events of one record; `result` is the body of the RESULT before an OUTCOME.

    Wrong fields are left out and reported. ValueError or KeyError if the record does not fit its
    kind, except for an OUTCOME, because every run must get its end.
    """
    if record.kind == Kind.LOG and (found := lines.read(record)) is not None:
        line, text = found
        size = len(record.body)
        return [Event(messages.RUN_LOG, line, None, None, _WHOLE, size, text)]
    make = _MAKERS.get(record.kind)
    if make is None:
        return []
    try:
        made = make(_body(record, tell), result or {})
    except (ValueError, KeyError) as error:
        if record.kind != Kind.OUTCOME:
            raise
        tell(f"it cannot be read: {type(error).__name__}: {error}")
        made = _outcome({"timestamp": messages.timestamp_text(record.time_us), **_NO_OUTCOME}, {})
    return [_identified(event, record, n) for n, event in enumerate(made)]


def body_of(record: Record, tell: Callable[[str], None]) -> JsonObject:
    """The body without fields of a wrong type, which are reported. ValueError."""
    body = record.json()
    shape = SHAPES.get(record.kind)
    # The fields of a log line have rules of their own, which take anything.
    if shape is not None and record.kind != Kind.LOG:
        body, problems = shape.mended(body)
        for problem in problems:
            tell(problem)
    return body


def _body(record: Record, tell: Callable[[str], None]) -> JsonObject:
    body = body_of(record, tell)
    body["timestamp"] = _timestamp(body, record)
    return body


def _identified(event: Event, record: Record, number: int) -> Event:
    """Log lines are known by their place in the journal."""
    line = event.body
    if not isinstance(line, LogLine):
        return event
    place = f"{record.sequence}.{number}"
    body = LogLine(line.timestamp, line.message, line.source, line.level, line.step_id, place)
    return Event(event.name, body, size=len(record.body))


def _timestamp(body: JsonObject, record: Record) -> str:
    """The time that the record gives; if it is none, the time of writing."""
    value = body.get("timestamp")
    if isinstance(value, str) and len(value) == 16 and value.isascii() and value.isdigit():
        return value
    return messages.timestamp_text(record.time_us)


def render(
    run_id: str,
    event: Event,
    read: ReadDocument,
    *,
    postmortem: JsonObject | None = None,
    spans: JsonObject | None = None,
    native: bool = False,
) -> Raw:
    """The payload of an event as it is sent, without anything that breaks a platform.

    `postmortem` and `spans` go with the outcome, unless they are left out. `native`: outputs go
    as JSON values instead of text, for Lightning 2.19 and newer. Raises Unreadable.
    """
    body = event.body
    if isinstance(body, LogLine):
        if event.text and not event.without:
            return Raw(lines.with_ids(run_id, body, event.text, alone=True), clean=True)
        text = dumps_any({"run_id": run_id, **_line(run_id, event, body)})
    elif isinstance(body, StepComplete):
        return Raw(_step_text(event, body, read, native=native), clean=True)
    elif isinstance(body, RunComplete):
        if "postmortem" not in event.without:
            body = replace(body, postmortem=postmortem, spans=spans)
        text = _with_state(event, body, read).to_payload().text
    elif isinstance(body, StepStart) and "input_dataclip_id" in event.without:
        text = dumps_any(replace(body, input_dataclip_id=None).to_payload())
    elif isinstance(body, RunStart) and "versions" in event.without:
        text = dumps_any(replace(body, versions={}).to_payload())
    else:
        text = dumps_any(body.to_payload())
    return Raw(clean_json(text), clean=True)


def render_batch(run_id: str, events: list[Event]) -> Raw:
    """The payload of `run:batch_logs`."""
    run = clean_json(dumps(run_id))
    logs = ",".join(_line_text(run_id, event) for event in events)
    return Raw(f'{{"run_id":{run},"logs":[{logs}]}}', clean=True)


def _line_text(run_id: str, event: Event) -> str:
    """A line of a batch as JSON text."""
    body = cast("LogLine", event.body)
    if event.text and not event.without:
        return lines.with_ids(run_id, body, event.text, alone=False)
    return clean_json(dumps_any(_line(run_id, event, body)))


def _line(run_id: str, event: Event, line: LogLine) -> JsonObject:
    """A log line as it is sent, with an id that stays the same in a repeat."""
    sent = line.to_line()
    sent["id"] = lines.identity(run_id, line)
    if event.without:
        if "message" in event.without:
            sent["message"] = [REDACTED_LOG]
        elif "words" in event.without:
            sent["message"] = [REFUSED_LOG]
        if "step_id" in event.without:
            sent.pop("step_id", None)
    return sent


def alternatives(event: Event, response: Json | bytes) -> Event | None:
    """The event with less in it, after it was refused; None if there is nothing to leave out.

    A log line loses a step that the platform does not know; a step loses an unknown input. An
    outcome loses its dataclip, then its state. The end of a step loses its output, then its answer
    to a webhook.
    """
    text = str(response)
    parts: list[str] = []
    if event.is_log and "step_id" in text:
        parts = ["step_id"]
    elif isinstance(event.body, StepStart) and event.body.input_dataclip_id and "clip" in text:
        parts = ["input_dataclip_id"]
    elif isinstance(event.body, StepComplete):
        named = "clip" in text or "body" in text
        parts = [part for part in _parts(event) if part != "output" or named]
    elif event.is_final and ("clip" in text or "state" in text):
        parts = _parts(event)[::-1]
    return _without_first(event, parts)


def smaller(event: Event) -> Event | None:
    """The event without its large part, if its frame is too large; None if it has none left."""
    names = {"words": "message", "output": "large output"}
    parts = [names.get(part, part) for part in _parts(event) if part != "final_dataclip_id"]
    if event.is_final:
        parts.insert(0, "postmortem")
    return _without_first(event, parts)


def simpler(event: Event) -> Event | None:
    """The event with less in it, if the platform cannot take it; None if nothing can go."""
    return _without_first(event, _parts(event))


def _parts(event: Event) -> list[str]:
    """The parts that an event can be sent without, in the order in which they are left out."""
    body = event.body
    if isinstance(body, LogLine):
        return ["words"]
    if isinstance(body, RunStart):
        return ["versions"]
    if isinstance(body, StepStart):
        return ["input_dataclip_id"] if body.input_dataclip_id else []
    if isinstance(body, StepComplete):
        return [
            *(["output"] if output_id(event) is not None else []),
            *(["response"] if event.response is not None else []),
        ]
    return [
        *(["final_state"] if event.document is not None else []),
        *(["final_dataclip_id"] if body.final_dataclip_id else []),
    ]


def _without_first(event: Event, parts: list[str]) -> Event | None:
    part = next((part for part in parts if part not in event.without), None)
    return None if part is None else event.leaving_out(part)


def dumps_any(value: object) -> str:
    """JSON text, also of values that hold NaN or infinities (which become null)."""
    try:
        return dumps(value)
    except ValueError:
        return dumps(_finite(value))


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value


def _run_start(body: JsonObject, _result: JsonObject) -> list[Event]:
    versions = body.get("versions")
    versions = versions if isinstance(versions, dict) else {}
    timestamp = str(body["timestamp"])
    listed = ", ".join(
        f"{name} {' '.join(map(str, version)) if isinstance(version, list) else version}"
        for name, version in versions.items()
    )
    line = LogLine(timestamp, [f"Versions: {listed}"], "VER", "info")
    return [
        Event(messages.RUN_START, RunStart(timestamp, versions)),
        Event(messages.RUN_LOG, line),
    ]


def _log(body: JsonObject, _result: JsonObject) -> list[Event]:
    level = body.get("level")
    message = body.get("message")
    line = LogLine(
        str(body["timestamp"]),
        message if isinstance(message, list) else [message],
        str(body.get("source") or "R/T")[:8],
        level if isinstance(level, str) and level in messages.LOG_LEVELS else "info",
        _text(body, "step_id"),
    )
    return [Event(messages.RUN_LOG, line)]


def _step_start(body: JsonObject, _result: JsonObject) -> list[Event]:
    start = StepStart(
        str(body["step_id"]), str(body["job_id"]), str(body["timestamp"]),
        _text(body, "input_dataclip_id"),
    )  # fmt: skip
    return [Event(messages.STEP_START, start)]


def _step_complete(body: JsonObject, _result: JsonObject) -> list[Event]:
    duration, mem, output = body.get("duration"), body.get("mem"), body.get("output")
    complete = StepComplete(
        _text(body, "step_id"), _text(body, "job_id"), str(body["reason"]),
        _text(body, "timestamp"),
        round(duration) if isinstance(duration, int | float) else None,
        body.get("thread_id"), mem if isinstance(mem, dict) else None,
        _text(body, "error_type"), _text(body, "error_message"),
        _text(body, "output_dataclip_id"),
    )  # fmt: skip
    document = output if isinstance(output, dict) else None
    response = body.get("webhook_response_document")
    return [
        Event(
            messages.STEP_COMPLETE,
            complete,
            document,
            response if isinstance(response, dict) else None,
        )
    ]


def _outcome(body: JsonObject, result: JsonObject) -> list[Event]:
    reason, timestamp = str(body["reason"]), str(body["timestamp"])
    error_type, message = _text(body, "error_type"), _text(body, "error_message")
    texts = [f"Run complete with status: {reason}"]
    if reason != "success":
        texts.append(f"{error_type or 'Error'}: {message or 'unknown'}")
    events = [Event(messages.RUN_LOG, LogLine(timestamp, [text], "R/T", "info")) for text in texts]
    ended_itself = reason in {"success", "fail"}
    document = result.get("final_state") if ended_itself else None
    complete = RunComplete(
        reason, error_type, message, timestamp,
        _text(result, "final_dataclip_id") if ended_itself else None,
    )  # fmt: skip
    document = document if isinstance(document, dict) else None
    events.append(Event(messages.RUN_COMPLETE, complete, document))
    return events


_NO_OUTCOME: JsonObject = {
    "reason": Reason.EXCEPTION.value,
    "error_type": "JournalDamaged",
    "error_message": "The record of how this run ended cannot be read.",
}
_MAKERS: dict[int, Callable[[JsonObject, JsonObject], list[Event]]] = {
    Kind.RUN_START: _run_start,
    Kind.LOG: _log,
    Kind.STEP_START: _step_start,
    Kind.STEP_COMPLETE: _step_complete,
    Kind.OUTCOME: _outcome,
}


def _step_text(event: Event, body: StepComplete, read: ReadDocument, *, native: bool) -> str:
    """Both of id and text of the output, the id alone (it is not saved), an error, or nothing."""
    document = event.document or {}
    large = "withheld" in document or "large output" in event.without
    clip = output_id(event)
    body = replace(
        body, output_dataclip_id=clip, output_dataclip_error=messages.TOO_LARGE if large else None
    )
    text = clean_json(dumps_any(body.to_payload()))
    if clip is not None and not document.get("omitted"):
        output = _document("output", document, read, deep=True)
        size = three_digits(len(output.encode()) / MEBIBYTE)
        shown = output if native else quoted(output)
        text = f'{text[:-1]},"dataclip_size_mb":"{size}","output_dataclip":{shown}}}'
    if event.response is not None and "response" not in event.without:
        answer = _document("response", event.response, read)
        text = f'{text[:-1]},"webhook_response":{answer}}}'
    return text


def three_digits(value: float) -> str:
    """A number with three significant digits, as JavaScript's `toPrecision` writes it."""
    digits, _, power = f"{value:.2e}".partition("e")
    exponent = int(power)
    return f"{value:.{2 - exponent}f}" if -7 < exponent < 3 else f"{digits}e{exponent:+d}"


def _with_state(event: Event, body: RunComplete, read: ReadDocument) -> RunComplete:
    document = event.document
    if "final_dataclip_id" in event.without:
        body = replace(body, final_dataclip_id=None)
    if document is None or document.get("omitted"):
        return body
    if "withheld" in document or "final_state" in event.without:
        return replace(body, final_state={"data": REDACTED})
    return replace(body, final_state=Raw(_document("final_state", document, read)))


def _document(part: str, document: JsonObject, read: ReadDocument, *, deep: bool = False) -> str:
    """The text of a document. Raises Unreadable.

    The run made it, so it is checked: a text that is not JSON crashes the platform or ends the
    connection. `deep`: it may be nested deeper than we can check."""
    name = str(document.get("blob") or "")
    try:
        text = clean_json(read(document))
        if (checked := _CHECKED.get(name)) is None:
            checked = check_json(text)
        if not (checked or deep):
            refuse_depth(text)
    except (OSError, ValueError) as error:
        raise Unreadable(part, f"{type(error).__name__}: {error}") from error
    if name:
        if len(_CHECKED) >= _MOST_CHECKED:
            _CHECKED.clear()
        _CHECKED[name] = checked
    return text


def _text(body: JsonObject, name: str) -> str | None:
    value = body.get(name)
    return value if isinstance(value, str) and value else None
