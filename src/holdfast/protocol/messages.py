"""What the events between worker and platform carry, typed, in both directions.

`to_payload` builds what the worker sends; `from_payload` checks what the platform received and
raises InvalidPayload, whose `response` is the error reply (`docs/spec/worker-protocol.md` 3 and 4,
`docs/spec/platform.md` 4.4). Unknown keys are ignored in both directions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self, cast

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject
from holdfast.model.value import value
from holdfast.protocol.frames import Payload, Raw, json_object

WORKER_QUEUE = "worker:queue"
RUN_TOPIC = "run:"
CLAIM = "claim"
WORK_AVAILABLE = "work-available"
FETCH_PLAN = "fetch:plan"
FETCH_DATACLIP = "fetch:dataclip"
FETCH_CREDENTIAL = "fetch:credential"
RUN_START = "run:start"
STEP_START = "step:start"
STEP_COMPLETE = "step:complete"
RUN_LOG = "run:log"
RUN_BATCH_LOGS = "run:batch_logs"
RUN_COMPLETE = "run:complete"
#: What a run has done so far, for pages that watch; only to a platform that offers `live_spans`.
RUN_SPANS = "run:spans"
#: The platform's wish on a run's channel: end it. Its payload is `{"reason": text}`.
RUN_ABORT = "run:abort"

LOG_LEVELS = frozenset({"debug", "info", "warn", "error", "success", "always"})
BLANK = "This field can't be blank."
TOO_LARGE = "DATACLIP_TOO_LARGE"
_MOST = 2**31 - 1  # of anything that is counted; a database column holds it
_LATEST_MS = 253_402_300_800_000  # the year 10000
#: A platform that offers more than the basic contract says so under this key of a join reply.
EXTENSION = "holdfast"


class InvalidPayload(HoldfastError):  # noqa: N818 - named for what came
    """An event's payload breaks its schema; `errors` has the texts by field."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("; ".join(f"{key}: {', '.join(text)}" for key, text in errors.items()))
        self.errors = errors

    @property
    def response(self) -> JsonObject:
        """The response of the error reply."""
        return {"errors": cast("JsonObject", self.errors)}


def run_topic(run_id: str) -> str:
    """The channel of one run."""
    return f"{RUN_TOPIC}{run_id}"


def timestamp_text(microseconds: int) -> str:
    """A time as events carry it: Unix microseconds, decimal, as text."""
    return str(microseconds)


def timestamp_us(value: Json) -> int:
    """Unix microseconds from any form that Lightning reads. InvalidPayload for others.

    A string of 16 digits is µs, of 13 digits ms; an integer is ms.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LATEST_MS:
        return value * 1000
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) in (13, 16):
        return int(value) if len(value) == 16 else int(value) * 1000
    raise InvalidPayload({"timestamp": ["is not a Unix time in milli- or microseconds"]})


@dataclass(frozen=True, slots=True)
class QueueJoin:
    """`phx_join` of worker:queue."""

    capacity: int = 1
    queues: dict[str, int] = field(default_factory=dict)

    def to_payload(self) -> JsonObject:
        return {"capacity": self.capacity, "queues": cast("JsonObject", self.queues)}

    @classmethod
    def from_payload(cls, payload: Payload) -> Self:
        body = _object(payload)
        capacity, queues = body.get("capacity"), body.get("queues")
        return cls(
            capacity if _is_count(capacity) else 1,  # type: ignore[arg-type] # checked: a count
            {key: cast("int", n) for key, n in queues.items() if _is_count(n)}
            if isinstance(queues, dict)
            else {},
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """`claim` on worker:queue. `worker_name` is always sent, since Lightning matches on it."""

    demand: int = 1
    worker_name: str | None = None
    queues: tuple[str, ...] = ("manual", "*")

    def to_payload(self) -> JsonObject:
        return {
            "demand": self.demand,
            "worker_name": self.worker_name,
            "queues": list(self.queues),
        }

    @classmethod
    def from_payload(cls, payload: Payload) -> Self:
        """Malformed queues mean the default, as in Lightning; a bad demand means 1."""
        body = _object(payload)
        demand, name, queues = body.get("demand"), body.get("worker_name"), body.get("queues")
        good = isinstance(queues, list) and queues and all(isinstance(q, str) for q in queues)
        return cls(
            cast("int", demand) if _is_count(demand) else 1,
            name if isinstance(name, str) and name else None,
            tuple(cast("list[str]", queues)) if good else ("manual", "*"),
        )


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """One run of a claim's reply."""

    id: str
    token: str = field(repr=False)

    def to_payload(self) -> JsonObject:
        return {"id": self.id, "token": self.token}


def claimed_runs(response: Json | bytes) -> list[ClaimedRun]:
    """The runs of a claim's reply; entries without id or token are left out."""
    runs = response.get("runs") if isinstance(response, dict) else None
    if not isinstance(runs, list):
        return []
    return [
        ClaimedRun(cast("str", item["id"]), cast("str", item["token"]))
        for item in runs
        if isinstance(item, dict)
        and isinstance(item.get("id"), str)
        and isinstance(item.get("token"), str)
    ]


@dataclass(frozen=True, slots=True)
class Extension:
    """What a platform offers beyond the contract in the reply to a run's join.

    `window`: events that may be unanswered at a time. `batch_logs`: `run:batch_logs` is
    welcome. `idempotent`: an event that is repeated with the same identities does no harm
    (log lines have theirs in LogLine.id). `postmortem`, `spans`: `run:complete` may carry them.
    `live_spans`: RUN_SPANS is welcome.
    `cancel`: somebody wants the run to end, for this reason; while it is joined, RUN_ABORT says
    so.
    """

    window: int = 1
    batch_logs: bool = False
    idempotent: bool = False
    postmortem: bool = False
    spans: bool = False
    live_spans: bool = False
    cancel: str | None = None

    def to_payload(self) -> JsonObject:
        offer: JsonObject = {
            "window": self.window,
            "batch_logs": self.batch_logs,
            "idempotent": self.idempotent,
            "postmortem": self.postmortem,
            "spans": self.spans,
            "live_spans": self.live_spans,
        }
        if self.cancel is not None:
            offer["cancel"] = self.cancel
        return {EXTENSION: offer}

    @classmethod
    def from_response(cls, response: Json | bytes) -> Self:
        offer = response.get(EXTENSION) if isinstance(response, dict) else None
        if not isinstance(offer, dict):
            return cls()
        window = offer.get("window")
        return cls(
            min(cast("int", window), 1024) if _is_count(window) else 1,
            offer.get("batch_logs") is True,
            offer.get("idempotent") is True,
            offer.get("postmortem") is True,
            offer.get("spans") is True,
            offer.get("live_spans") is True,
            cancel_reason(offer.get("cancel")),
        )


def cancel_reason(value: Json) -> str | None:
    """Why a run is to end, as a platform says it; None: it is not to."""
    return value[:1000] if isinstance(value, str) and value else None


@dataclass(frozen=True, slots=True)
class RunStart:
    """`run:start`."""

    timestamp: str
    versions: JsonObject = field(default_factory=dict)

    def to_payload(self) -> JsonObject:
        return {"timestamp": self.timestamp, "versions": self.versions}

    @classmethod
    def from_payload(cls, payload: Payload) -> Self:
        body = _object(payload)
        versions = body.get("versions")
        return cls(_timestamp(body), versions if isinstance(versions, dict) else {})


@dataclass(frozen=True, slots=True)
class StepStart:
    """`step:start`. Triggers make none."""

    step_id: str
    job_id: str
    timestamp: str
    input_dataclip_id: str | None = None

    def to_payload(self) -> JsonObject:
        payload: JsonObject = {"step_id": self.step_id, "job_id": self.job_id}
        payload["timestamp"] = self.timestamp
        if self.input_dataclip_id is not None:
            payload["input_dataclip_id"] = self.input_dataclip_id
        return payload

    @classmethod
    def from_payload(cls, payload: Payload) -> Self:
        body = _object(payload)
        if "job_id" in body and body["job_id"] is None:
            raise InvalidPayload({"job_id": ["Job not found!"]})
        _demand(body, job_id=BLANK, step_id="can't be blank")
        return cls(
            str(body["step_id"]), str(body["job_id"]), _timestamp(body),
            _text(body, "input_dataclip_id"),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class StepComplete:
    """`step:complete`. `output_dataclip`: JSON text, or the value, as Lightning 2.19 and newer
    take it; `duration` ms; `mem` bytes."""

    step_id: str | None
    job_id: str | None
    reason: str
    timestamp: str | None = None
    duration: int | None = None
    thread_id: Json = None
    mem: JsonObject | None = None
    error_type: str | None = None
    error_message: str | None = None
    output_dataclip_id: str | None = None
    output_dataclip: Json = None
    output_dataclip_error: str | None = None
    webhook_response: Json = None

    def to_payload(self) -> JsonObject:
        payload: JsonObject = {"step_id": self.step_id, "job_id": self.job_id}
        optional = {
            "timestamp": self.timestamp, "duration": self.duration, "thread_id": self.thread_id,
            "mem": self.mem,
        }  # fmt: skip
        payload |= {key: value for key, value in optional.items() if value is not None}
        payload["reason"] = self.reason
        payload["error_type"] = self.error_type
        payload["error_message"] = self.error_message
        optional = {
            "output_dataclip_id": self.output_dataclip_id,
            "output_dataclip": self.output_dataclip,
            "output_dataclip_error": self.output_dataclip_error,
            "webhook_response": self.webhook_response,
        }
        payload |= {key: value for key, value in optional.items() if value is not None}
        return payload

    @classmethod
    def from_payload(cls, payload: Payload) -> Self:
        """`step_id` may be missing (kit#1072): the platform then finds the open step of the job.

        Whether id and body of the output must come together depends on the run's options.
        """
        body = _object(payload)
        _demand(body, reason="can't be blank")
        if not body.get("step_id") and not body.get("job_id"):
            raise InvalidPayload({"step_id": [BLANK]})
        mem = body.get("mem")
        return cls(
            _text(body, "step_id"), _text(body, "job_id"), str(body["reason"]),
            None if body.get("timestamp") is None else _timestamp(body),
            _duration(body.get("duration")),
            body.get("thread_id"), mem if isinstance(mem, dict) else None,
            _text(body, "error_type"), _text(body, "error_message"),
            _text(body, "output_dataclip_id"), body.get("output_dataclip"),
            _text(body, "output_dataclip_error"), body.get("webhook_response"),
        )  # fmt: skip


@value
class LogLine:
    """One line of a run's log. `message` is a list of JSON values (console arguments).

    `id` is unique within the run: where the platform is idempotent (see Extension), a line that
    is sent again with the same id is stored once. Its place in the journal serves well.
    """

    timestamp: str
    message: Json
    source: str = "R/T"
    level: str = "info"
    step_id: str | None = None
    id: str | None = None

    def to_line(self) -> JsonObject:
        """The line as an entry of a batch; `run:log` has the run's id beside it."""
        line: JsonObject = {"message": self.message, "source": self.source, "level": self.level}
        line["timestamp"] = self.timestamp
        if self.step_id is not None:
            line["step_id"] = self.step_id
        if self.id is not None:
            line["id"] = self.id
        return line

    @classmethod
    def from_line(cls, payload: Payload) -> Self:
        """Only a message and a timestamp are demanded; the source is cut to 8 characters."""
        body = _object(payload)
        if "message" not in body:
            raise InvalidPayload({"message": [BLANK]})
        level = body.get("level")
        if level is not None and not (isinstance(level, str) and level in LOG_LEVELS):
            raise InvalidPayload({"level": ["is invalid"]})
        source = body.get("source")
        return cls(
            _timestamp(body), body["message"], source[:8] if isinstance(source, str) else "R/T",
            level if isinstance(level, str) else "info", _text(body, "step_id"),
            (_text(body, "id") or "")[:64] or None,
        )  # fmt: skip


def batch_lines(payload: Payload) -> list[LogLine]:
    """The lines of `run:batch_logs`; InvalidPayload if one of them is invalid."""
    logs = _object(payload).get("logs")
    if not isinstance(logs, list):
        raise InvalidPayload({"logs": ["is not a list"]})
    return [LogLine.from_line(line) for line in logs]


@dataclass(frozen=True, slots=True)
class RunComplete:
    """`run:complete`. `final_state` is any JSON value, or prepared JSON text; None: not sent.

    `postmortem` and `spans` are for a platform that offered to take them (Extension).
    """

    reason: str
    error_type: str | None = None
    error_message: str | None = None
    timestamp: str | None = None
    final_dataclip_id: str | None = None
    final_state: Json | Raw = None
    postmortem: JsonObject | None = None
    spans: JsonObject | None = None

    def to_payload(self) -> Raw:
        fields: dict[str, Json | Raw] = {}
        if self.timestamp is not None:
            fields["timestamp"] = self.timestamp
        fields["reason"] = self.reason
        fields["error_type"] = self.error_type
        fields["error_message"] = self.error_message
        if self.final_dataclip_id is not None:
            fields["final_dataclip_id"] = self.final_dataclip_id
        if self.final_state is not None:
            fields["final_state"] = self.final_state
        if self.postmortem is not None:
            fields["postmortem"] = self.postmortem
        if self.spans is not None:
            fields["spans"] = self.spans
        return json_object(fields)

    @classmethod
    def from_payload(cls, payload: Payload) -> Self:
        body = _object(payload)
        _demand(body, reason="can't be blank")
        document, spans = body.get("postmortem"), body.get("spans")
        return cls(
            str(body["reason"]), _text(body, "error_type"), _text(body, "error_message"),
            None if body.get("timestamp") is None else _timestamp(body),
            _text(body, "final_dataclip_id"), body.get("final_state"),
            document if isinstance(document, dict) else None,
            spans if isinstance(spans, dict) else None,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunSpans:
    """`run:spans`: what `run:complete` will have, as far as it is known."""

    spans: JsonObject

    @classmethod
    def from_payload(cls, payload: Payload) -> Self:
        """Raises InvalidPayload."""
        spans = _object(payload).get("spans")
        if not isinstance(spans, dict):
            raise InvalidPayload({"spans": ["is not an object"]})
        return cls(spans)


#: What a platform says when it has an event already; matched in the text of an error reply.
_KNOWN = (
    "already in completed state",
    "already exists",
    "has already been taken",
    "must be unique",
)


def means_known(response: Json | bytes) -> bool:
    """Whether an error reply says that the platform has the event already."""
    text = str(response)
    return any(words in text for words in _KNOWN)


def _object(payload: Payload) -> JsonObject:
    if not isinstance(payload, dict):
        raise InvalidPayload({"payload": ["is not an object"]})
    return payload


def _demand(body: JsonObject, **texts: str) -> None:
    for name, text in texts.items():
        value = body.get(name)
        if not isinstance(value, str) or not value:
            raise InvalidPayload({name: [text]})


def _text(body: JsonObject, name: str) -> str | None:
    value = body.get(name)
    return value if isinstance(value, str) and value else None


def _timestamp(body: JsonObject) -> str:
    return timestamp_text(timestamp_us(body.get("timestamp")))


def _duration(value: Json) -> int | None:
    """Milliseconds; what cannot be a duration is as good as none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < _LATEST_MS else None


def _is_count(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST
