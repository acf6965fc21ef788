"""Journal records made into the events a platform receives. Pure, and the same every time.

Formats: `docs/spec/worker-protocol.md` 4.5 to 4.9. A record gives the same events with the same
identities whenever it is read, so that a repeat can be recognised as one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias, cast

from holdfast.journal import Record
from holdfast.model.bodies import SHAPES
from holdfast.model.json import Json, JsonObject, check_json
from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from holdfast.protocol import messages
from holdfast.protocol.frames import Raw, dumps
from holdfast.protocol.messages import LogLine, RunComplete, RunStart, StepComplete, StepStart

REDACTED = "[REDACTED]"
REDACTED_LOG = "[REDACTED: Message length exceeds payload limit]"

#: Gives the JSON text of a document that the journal names.
ReadDocument: TypeAlias = Callable[[JsonObject], str]


class Unreadable(Exception):  # noqa: N818 - said of the document
    """A document of an event cannot be sent; `part` is what to leave out (`Event.leaving_out`)."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(f"{part}: {why}")
        self.part = part


@dataclass(frozen=True, slots=True)
class Event:
    """One event to deliver. `without` names what is left out because the platform refused it."""

    name: str
    body: RunStart | StepStart | StepComplete | LogLine | RunComplete
    document: JsonObject | None = None
    response: JsonObject | None = None  # the answer to a webhook, where it is a document
    without: frozenset[str] = field(default_factory=frozenset)
    size: int = 0  # bytes of the record it is from, where they are what is sent: a log line

    @property
    def is_log(self) -> bool:
        return isinstance(self.body, LogLine)

    @property
    def is_final(self) -> bool:
        return isinstance(self.body, RunComplete)

    @property
    def bytes(self) -> int:
        """About how large its frame will be, before it is rendered."""
        document = self.document or {}
        size = document.get("bytes")
        inline = document.get("inline")
        known = len(inline) if isinstance(inline, str) else 0
        return 500 + self.size + (size if isinstance(size, int) else known)

    def leaving_out(self, name: str) -> Event:
        """The event without one of its parts (see `alternatives`)."""
        return replace(self, without=self.without | {name})


def events_of(
    record: Record, result: JsonObject | None, tell: Callable[[str], None] = lambda _: None
) -> list[Event]:
    """The events of one record; `result` is the body of the RESULT before an OUTCOME.

    What is wrong in it is left out and told. ValueError or KeyError if the record is not what its
    kind says, except for an OUTCOME: every run that has one gets its end.
    """
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
    """The body without the fields that are not of their type, which are told. ValueError."""
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
    if not isinstance(event.body, LogLine):
        return event
    body = replace(event.body, id=f"{record.sequence}.{number}")
    return replace(event, body=body, size=len(record.body))


def _timestamp(body: JsonObject, record: Record) -> str:
    """The record's own word, unless it is no time (log lines come from the run unread)."""
    value = body.get("timestamp")
    if isinstance(value, str) and len(value) == 16 and value.isascii() and value.isdigit():
        return value
    return messages.timestamp_text(record.time_us)


def render(
    run_id: str,
    event: Event,
    read: ReadDocument,
    *,
    identities: bool,
    postmortem: JsonObject | None = None,
) -> Raw:
    """The payload of an event as it is sent; `identities`: log lines carry theirs. Unreadable.

    `postmortem` goes with the outcome, unless that is left out.
    """
    body = event.body
    if isinstance(body, LogLine):
        line = replace(body, step_id=None) if "step_id" in event.without else body
        line = line if identities else replace(line, id=None)
        if "message" in event.without:
            line = replace(line, message=[REDACTED_LOG])
        return Raw(dumps_any(line.to_payload(run_id)))
    if isinstance(body, StepComplete):
        text = dumps_any(_with_output(event, body, read).to_payload())
        if event.response is not None and "response" not in event.without:
            answer = _document("response", event.response, read)
            text = f'{text[:-1]},"webhook_response":{answer}}}'
        return Raw(text)
    if isinstance(body, RunComplete):
        if "postmortem" not in event.without:
            body = replace(body, postmortem=postmortem)
        return _with_state(event, body, read).to_payload()
    return Raw(dumps_any(body.to_payload()))


def render_batch(run_id: str, events: list[Event], *, identities: bool) -> Raw:
    """The payload of `run:batch_logs`."""
    lines = [cast("LogLine", event.body) for event in events]
    if not identities:
        lines = [replace(line, id=None) for line in lines]
    return Raw(dumps_any(messages.batch_payload(run_id, lines)))


def alternatives(event: Event, response: Json | bytes) -> Event | None:
    """The event with less in it, after it was refused; None if there is nothing to leave out.

    A log line of a step the platform does not know goes without the step; an outcome goes
    without the dataclip, then without the state, that the platform will not take; the end of a
    step goes without its answer to a webhook.
    """
    text = str(response)
    if event.is_log and "step_id" in text and "step_id" not in event.without:
        return event.leaving_out("step_id")
    if isinstance(event.body, StepComplete):
        output = event.document is not None and "output" not in event.without
        if output and "dataclip" in text:
            return event.leaving_out("output")
        if event.response is not None and "response" not in event.without:
            return event.leaving_out("response")
    elif isinstance(event.body, RunComplete):
        if event.body.final_dataclip_id and "final_dataclip_id" not in event.without:
            return event.leaving_out("final_dataclip_id")
        if event.document is not None and "final_state" not in event.without:
            return event.leaving_out("final_state")
    return None


def smaller(event: Event) -> Event | None:
    """The event without its large part, when its frame is too large; None if it has none left."""
    if event.is_log:
        parts = ["message"]
    elif isinstance(event.body, StepComplete):
        parts = ["output", "response"] if event.response else ["output"]
    else:
        parts = ["postmortem", "final_state"] if event.is_final else []
    left = (part for part in parts if part not in event.without)
    part = next(left, None)
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
        webhook_response=body.get("webhook_response"),  # in journals of earlier versions
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


def _with_output(event: Event, body: StepComplete, read: ReadDocument) -> StepComplete:
    """Both of id and text, the id alone (output is not saved), an error, or nothing (W35)."""
    document = event.document
    if document is None:
        return replace(body, output_dataclip_id=None)
    if "withheld" in document or "output" in event.without:
        return replace(body, output_dataclip_id=None, output_dataclip_error=messages.TOO_LARGE)
    if document.get("omitted"):
        return body
    return replace(body, output_dataclip=_document("output", document, read, checked=False))


def _with_state(event: Event, body: RunComplete, read: ReadDocument) -> RunComplete:
    document = event.document
    if "final_dataclip_id" in event.without:
        body = replace(body, final_dataclip_id=None)
    if document is None or document.get("omitted"):
        return body
    if "withheld" in document or "final_state" in event.without:
        return replace(body, final_dataclip_id=None, final_state={"data": REDACTED})
    return replace(body, final_state=Raw(_document("final_state", document, read)))


def _document(part: str, document: JsonObject, read: ReadDocument, *, checked: bool = True) -> str:
    """The text of a document. It comes from the run as it is: what goes into the frame as part of
    its JSON must be JSON, or the platform would end the connection. Raises Unreadable."""
    try:
        text = read(document)
        if checked:
            check_json(text)
    except (OSError, ValueError) as error:
        raise Unreadable(part, f"{type(error).__name__}: {error}") from error
    return text


def _text(body: JsonObject, name: str) -> str | None:
    value = body.get(name)
    return value if isinstance(value, str) and value else None
