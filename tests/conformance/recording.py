"""What a run left in its journal, in the words that the cases use."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from holdfast.model.record import Kind

#: Traces that are no events of the reference's runtime.
_OURS = {"end", "error", "compiled"}
#: What its engine passes on of an error.
_ENGINE_ERROR = ("message", "name", "type", "subtype", "severity")
_MAIN, _THREAD = "-", 1
#: Ends that the reference's main process finds, and our run process itself.
_BY_MAIN = {"ExitError", "DeadlockError"}


@dataclass(frozen=True)
class Recording:
    """Records of one run, (kind, body) in order."""

    records: list[tuple[int, bytes]]
    #: Events from before the run process was started.
    before: list[dict[str, Any]] = field(default_factory=list)

    def bodies(self, kind: Kind) -> list[dict[str, Any]]:
        return [json.loads(body) for number, body in self.records if number == kind]

    @cached_property
    def traces(self) -> list[dict[str, Any]]:
        """What the conformance program says of the run (`engine/traced.mjs`)."""
        lines = self.bodies(Kind.LOG)
        return [json.loads(line["message"][0]) for line in lines if line["source"] == "TRACE"]

    @property
    def outcome(self) -> dict[str, Any] | None:
        return next(iter(self.bodies(Kind.OUTCOME)), None)

    @property
    def end(self) -> dict[str, Any] | None:
        """`{"none": bool, "state"?}` of a workflow that ended."""
        return next((event for event in self.traces if event["event"] == "end"), None)

    @property
    def error(self) -> dict[str, Any] | None:
        """What the runtime was rejected with."""
        found = next((event for event in self.traces if event["event"] == "error"), None)
        return None if found is None else found["error"]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Events of the runtime, as its callback gets them."""
        return [event for event in self.traces if event["event"] not in _OURS]

    def logs(self, source: str) -> list[dict[str, Any]]:
        return [
            {
                "level": "print" if line.get("print") else line["level"],
                "message": line["message"],
            }
            for line in self.bodies(Kind.LOG)
            if line["source"] == source
        ]


def engine_error(recording: Recording) -> dict[str, Any] | None:
    """What `workflow-error` says, from the outcome; None when the workflow ended by itself."""
    outcome = recording.outcome
    if outcome is None or recording.end is not None:
        return None
    # the run process says nothing of what the kernel or the shim did to it
    own = bool(recording.bodies(Kind.RUN_ERROR)) and outcome["error_type"] not in _BY_MAIN
    return {
        "threadId": _THREAD if own else _MAIN,
        "type": outcome["error_type"],
        "message": outcome["error_message"],
        "severity": outcome["reason"],
    }


def engine_events(recording: Recording) -> list[dict[str, Any]]:
    """The journal as the events of the reference's engine, log lines left out."""
    events = list(recording.before)
    for start in recording.bodies(Kind.RUN_START):
        versions = start["versions"]
        events.append({"event": "workflow-start", "threadId": _THREAD, "versions": versions})
        events.append({"event": "compile-start", "threadId": _THREAD})
    for trace in recording.traces:
        if trace["event"] == "compiled":
            duration = trace["duration"]
            events.append({"event": "compile-complete", "threadId": _THREAD, "duration": duration})
        elif trace["event"] in {"job-start", "job-complete", "job-error"}:
            events.append(job_event(trace))
        elif trace["event"] == "end":
            ended = {"event": "workflow-complete", "threadId": _THREAD, "duration": 0}
            events.append(ended | ({"state": trace["state"]} if "state" in trace else {}))
    if (error := engine_error(recording)) is not None:
        events.append({"event": "workflow-error", **error})
    return events


def job_event(trace: dict[str, Any]) -> dict[str, Any]:
    event = {**trace, "threadId": _THREAD}
    if "error" in trace:
        event["error"] = {
            key: trace["error"][key] for key in _ENGINE_ERROR if key in trace["error"]
        }
    return event
