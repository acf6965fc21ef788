"""The process behind a run's channel in a real Lightning, rule by rule.

Source of every rule: `docs/spec/lightning-answers.md`; its sections are named in the comments.
An event that is neither stored nor refused raises Crash: the process dies, with everything that it
kept and all messages that wait in its mailbox.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any, NoReturn
from uuid import UUID, uuid4

from holdfast.model.json import Json
from holdfast.protocol import messages as m
from holdfast.protocol.messages import BLANK
from holdfast.testing.profile import Profile
from holdfast.testing.twin_run import FINAL, Crash, LineRow, Refusal, StepRow, TwinRun

_REASONS = FINAL | {"ok"}
_LATEST_MS = 253_402_300_800_000  # the year 10000
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")
#: The answer to each event of an unknown step.
NOT_OF_RUN = "must be associated with the run"


class RunChannel:
    """One join of a run: the cached run, the scrubber and the answer to a webhook live here."""

    def __init__(self, run: TwinRun, profile: Profile) -> None:
        self.run = run
        self.profile = profile
        # Section 1: held only by this process.
        self.cached_state = run.state
        self.cached_start = run.started_at
        self.fetched: set[str] = set()  # credentials whose secrets are masked
        self.webhook_response: Json = None
        self._took_start = False
        self._handlers: dict[str, Callable[[Any], Json | bytes]] = {
            m.FETCH_PLAN: self._plan, m.FETCH_DATACLIP: self._dataclip,
            m.FETCH_CREDENTIAL: self._credential, m.RUN_START: self._run_start,
            m.STEP_START: self._step_start, m.STEP_COMPLETE: self._step_complete,
            m.RUN_LOG: self._log, m.RUN_BATCH_LOGS: self._batch, m.RUN_COMPLETE: self._complete,
        }  # fmt: skip

    def handle(self, event: str, payload: Any) -> Json | bytes:
        """The response to an event. Refusal, Crash."""
        handler = self._handlers.get(event)
        if handler is None or not isinstance(payload, dict):
            _crash(f"no clause for {event}")
        return handler(payload)

    # Sections 3 to 5: what a worker fetches

    def _plan(self, _payload: Any) -> Json:
        if self._took_start:
            _crash("the cached run has lost its parts")
        return self.run.plan

    def _dataclip(self, _payload: Any) -> bytes:
        """The text of the dataclip. If the project keeps no data, reading wipes it."""
        if self.run.wiped:
            return b"null"
        self.run.wiped = not self.run.keeps_data
        return self.run.input

    def _credential(self, payload: Any) -> Json | bytes:
        wanted = payload.get("id")
        if wanted not in self.run.credentials:
            if not _UUID.fullmatch(str(wanted)):
                _crash("the id is no UUID")
            raise Refusal({"errors": {"id": ["Credential not found!"]}})
        self.fetched.add(wanted)
        return self.run.credentials[wanted]

    # Section 6

    def _run_start(self, payload: Any) -> Json:
        timestamp = _time(payload)
        if self.cached_state == "started" and timestamp == self.cached_start:
            _crash("requires at least one field")
        run = self.run
        if self.cached_state != "started":
            run.state = "started"  # also if it was final: finished_at stays
        run.started_at = self.cached_start = timestamp
        self.cached_state, self._took_start = "started", True
        run.events.append((m.RUN_START, payload))
        return None

    # Section 7

    def _step_start(self, payload: Any) -> Json:
        run, step_id, clip = self.run, payload.get("step_id"), payload.get("input_dataclip_id")
        job_id = payload.get("job_id")
        if job_id is None:
            text = "Job not found!" if "job_id" in payload else BLANK
            raise Refusal({"errors": {"job_id": [text]}})
        if not isinstance(job_id, str):
            _crash("job_id is no text")
        _time(payload)
        if not _is_uuid(step_id):
            raise Refusal({"step_id": ["is invalid"]})
        if clip is not None and not isinstance(clip, str):
            raise Refusal({self.profile.clip_field: ["is invalid"]})
        if job_id not in run.job_ids:
            raise Refusal({"job_id": ["does not exist"]})
        if step_id in run.steps:
            _crash("duplicate key: steps_pkey")
        if clip is not None and not self._knows(clip):
            raise Refusal({self.profile.clip_field: ["does not exist"]})
        run.steps[step_id] = StepRow(job_id, clip)
        run.events.append((m.STEP_START, payload))
        return {"step_id": step_id}

    def _knows(self, clip: str) -> bool:
        return clip in self.run.clips or clip == self.run.plan.get("dataclip_id")

    # Section 8

    def _step_complete(self, payload: Any) -> Json:
        run = self.run
        step_id, reason = payload.get("step_id"), payload.get("reason")
        _time(payload)
        if not reason:
            raise Refusal({"reason": [BLANK]})
        _no_nul(reason, payload.get("error_type"))
        clip, body = self._output(payload)
        if not step_id:
            raise Refusal({"step_id": [BLANK]})
        if step_id not in run.steps:
            raise Refusal({"step_id": ["not found"]})
        if clip is not None:
            if clip in run.clips:
                _crash("duplicate key: dataclips_pkey")
            run.clips[clip] = body if run.keeps_data else None
        step = run.steps[step_id]
        step.output, step.reason, step.error_type = clip, reason, payload.get("error_type")
        if payload.get("webhook_response") is not None:
            self.webhook_response = payload["webhook_response"]
        run.events.append((m.STEP_COMPLETE, payload))
        return {"step_id": step_id}

    def _output(self, payload: Any) -> tuple[str | None, Any]:
        """Id and value of the output; neither if it was withheld."""
        clip, body = payload.get("output_dataclip_id"), payload.get("output_dataclip")
        body = None if body == "" else body
        if clip is not None and not _is_uuid(clip):
            raise Refusal({"output_dataclip_id": ["is invalid"]})
        if body is not None and not isinstance(body, str) and not self.profile.native_outputs:
            raise Refusal({"output_dataclip": ["is invalid"]})
        if clip is None and body is None:
            return None, None
        if clip is None:
            raise Refusal({"output_dataclip_id": [BLANK]})
        if body is None:
            if self.run.keeps_data:
                raise Refusal({"output_dataclip": [BLANK]})
            return clip, None
        value = _parsed(body) if isinstance(body, str) else body
        if not isinstance(value, dict):
            if not self.profile.wraps_outputs:
                raise Refusal({"body": ["is invalid"]})
            value = {"value": value}
        if not isinstance(body, str) or "\\u" in body:  # JSON text escapes a NUL
            _no_nul(value)
        return clip, value

    # Section 9

    def _log(self, payload: Any) -> Json:
        self._store(self._line(payload))
        self.run.events.append((m.RUN_LOG, payload))
        return {"log_line_id": str(uuid4())}

    def _batch(self, payload: Any) -> Json:
        lines = payload.get("logs")
        if not self.profile.batch_logs or not isinstance(lines, list):
            _crash("no clause for run:batch_logs")
        rows = [self._line(line) for line in lines]  # all or nothing
        for row, line in zip(rows, lines, strict=True):
            self._store(row)
            self.run.events.append((m.RUN_LOG, line))
        return {}

    def _store(self, row: LineRow) -> None:
        self.run.lines.append(row)

    def _line(self, payload: Any) -> LineRow:
        """One changeset: it collects all errors."""
        errors: dict[str, Json] = {}
        message, step_id = payload.get("message"), payload.get("step_id")
        blank = message in (None, []) or (message == "" and not self.profile.empty_lines)
        if blank:
            errors["message"] = [BLANK]
        if payload.get("timestamp") is None:
            errors["timestamp"] = [BLANK]
        for name in ("level", "source"):
            if name in payload and not isinstance(payload[name], str | None):
                errors[name] = ["is invalid"]
        source = payload.get("source")
        if isinstance(source, str) and len(source) > 8:
            errors["source"] = ["should be at most 8 character(s)"]
        timestamp = _time(payload)
        if step_id is not None and step_id not in self.run.steps:
            errors["step_id"] = [NOT_OF_RUN]
        if errors:
            raise Refusal(errors)
        if not self.profile.replaces_nul:
            _no_nul(message)
        masked = self.fetched >= set(self.run.credentials)
        level = payload.get("level") or "info"
        return LineRow(message, step_id, level, timestamp or "", masked)

    # Section 10

    def _complete(self, payload: Any) -> Json:
        run, reason = self.run, payload.get("reason")
        _time(payload)
        if self.cached_state in FINAL:
            raise Refusal({"state": ["already in completed state"]})
        if self.cached_state == "available":
            raise Refusal({"state": ["cannot complete a run that was not claimed"]})
        if reason not in _REASONS:
            raise Refusal({"state": ["is invalid"]})
        _no_nul(payload.get("error_type"))
        clip = payload.get("final_dataclip_id")
        if self.profile.checks_final_clip:
            if clip is not None and not self._knows(clip):
                raise Refusal({"errors": {"final_dataclip_id": ["does not exist"]}})
            _no_nul(payload.get("final_state"))
        run.state = self.cached_state = "success" if reason == "ok" else reason
        run.finished, run.outcome, run.ended_at = True, payload, time.monotonic()
        run.webhook_response = self.webhook_response
        run.events.append((m.RUN_COMPLETE, payload))
        return None


def _crash(why: str) -> NoReturn:
    raise Crash(why)


def _time(payload: Any) -> str | None:
    """The `timestamp` of any event (section 6), as microseconds. Refusal, Crash."""
    value = payload.get("timestamp")
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < _LATEST_MS:
            _crash("a timestamp beyond the calendar")
        return str(value * 1000)
    if not isinstance(value, str):
        _crash("no clause for this timestamp")
    if len(value) not in (13, 16):
        raise Refusal({"timestamp": ["is invalid"]})
    if not (value.isascii() and value.isdigit()):
        _crash("a timestamp of letters")
    return value if len(value) == 16 else f"{value}000"


def _parsed(text: str) -> Any:
    """An output that came as text."""
    try:
        value = json.loads(text)
    except ValueError:
        _crash("the output is no JSON")
    except RecursionError:
        return {}  # deeper than we can look; Elixir can
    if "\\u" in text and _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        _crash("the output holds a lone surrogate")
    return value


def _no_nul(*values: Any) -> None:
    """PostgreSQL stores no NUL, in text and in jsonb, in keys and in values."""
    for value in values:  # the second look tells a NUL from a backslash in front of these letters
        if "\\u0000" in json.dumps(value) and "\\u0000" in json.dumps(_plain(value)):
            _crash("unsupported Unicode escape sequence")


def _plain(value: Any) -> Any:
    """The value without backslashes, which would look like escapes."""
    if isinstance(value, str):
        return value.replace("\\", "/")
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return value


def _is_uuid(value: Any) -> bool:
    try:
        UUID(value)
    except (ValueError, AttributeError, TypeError):
        return False
    return True
