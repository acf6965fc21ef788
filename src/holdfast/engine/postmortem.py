"""Why a run did not succeed, as one document, made from its journal alone. Pure.

The diagnosis, the timeline of phases and steps, memory over time with the limit, evidence, and the
last log lines.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from holdfast.diagnosis.diagnose import diagnose
from holdfast.diagnosis.diagnose import rows as diagnosed_rows
from holdfast.diagnosis.ending import Ending, read_diagnosis
from holdfast.engine.requests import UNKNOWN, Requests
from holdfast.journal import Record
from holdfast.model.beyond import Beyond
from holdfast.model.json import Json, JsonObject
from holdfast.model.record import Kind
from holdfast.model.visible import visible_line

#: Log lines kept, samples of memory (thinned out evenly beyond), letters of a line.
_LINES, _SAMPLES, _WORDS = 20, 200, 500
#: Requests that are told one by one.
_REQUESTS = 50
#: Events of the timeline that are kept: the first, and the last.
_FIRST, _LAST = 50, 150
#: Steps whose names are known at a time, and steps with much data that are told of.
_NAMES, _LARGEST = 1000, 50
_LARGE_BYTES = 256 * 1024


@dataclass(slots=True)
class _Seen:
    """What one walk through a journal has gathered."""

    start: int = 0
    found: dict[int, JsonObject] = field(default_factory=dict)
    timeline: list[Json] = field(default_factory=list)
    latest: deque[Json] = field(default_factory=lambda: deque(maxlen=_LAST))
    events: int = 0
    names: dict[str, str] = field(default_factory=dict)
    samples: list[Json] = field(default_factory=list)
    lines: list[Json] = field(default_factory=list)
    large: list[Json] = field(default_factory=list)
    requests: Requests = field(default_factory=Requests)

    def take(self, record: Record) -> None:
        self.start = self.start or record.time_us
        self.requests.take(record)
        since = (record.time_us - self.start) // 1000
        if record.kind == Kind.LOG:
            self.lines = [*self.lines[-_LINES + 1 :], _line(record.shown())]
        elif record.kind == Kind.SAMPLE:
            self.samples.append([since, record.shown().get("memory_mb")])
        elif record.kind == Kind.REPORT:
            large = _large_data(record.shown())
            if large is not None:
                self.large = sorted([*self.large, large], key=_data_bytes)[-_LARGEST:]
        elif record.kind in _EVENTS:
            body = self.found[record.kind] = record.shown()
            self.events += 1
            place = self.timeline if self.events <= _FIRST else self.latest
            what = _EVENTS[Kind(record.kind)](body, self._named(body))
            place.append({"ms": since, "what": what})

    def _named(self, body: JsonObject) -> str:
        """The step an event is about, by the name its author gave it where that is known."""
        step = str(body.get("step") or body.get("job_id") or "the workflow")
        if isinstance(name := body.get("name"), str):
            self.names[step] = name
            if len(self.names) > _NAMES:
                del self.names[next(iter(self.names))]
        return f'"{self.names[step]}"' if step in self.names else step

    def whole_timeline(self) -> list[Json]:
        """The first events and the last; what lies between is counted."""
        left = self.events - len(self.timeline) - len(self.latest)
        gap: list[Json] = [{"ms": None, "what": f"({left} more)"}] if left else []
        return [*self.timeline, *gap, *self.latest]


def build(records: Iterable[Record]) -> JsonObject:
    """The document for one run; `outcome` is null while it has none."""
    seen = _Seen()
    for record in records:
        seen.take(record)
    found = seen.found
    launched = found.get(Kind.LAUNCHED, {})
    outcome = found.get(Kind.OUTCOME)
    evidence = outcome.get("evidence") if outcome else None
    memory = evidence.get("memory") if isinstance(evidence, dict) else None
    diagnosis = _diagnosis(outcome) if outcome else None
    words = ("reason", "error_type", "error_message")
    return {
        "run_id": found.get(Kind.CLAIMED, {}).get("run_id"),
        "workflow": found.get(Kind.PREPARED, {}).get("workflow"),
        "started_us": seen.start,
        "outcome": {word: outcome.get(word) for word in words} if outcome else None,
        "place": evidence.get("place") if isinstance(evidence, dict) else None,
        "diagnosis": diagnosis,
        "advice": diagnosis.get("change") if diagnosis else None,
        "timeline": seen.whole_timeline(),
        "memory": {
            "limit_mb": launched.get("memory_limit_mb"),
            "means": launched.get("memory_means"),
            "counters": memory,
            "samples": _thinned(seen.samples),
        },
        "large_data": seen.large,
        "requests": _requests(seen.requests),
        "layers": launched.get("layers"),
        "evidence": evidence,
        "last_lines": seen.lines,
    }


def _requests(requests: Requests) -> JsonObject:
    """How many there were of each fate; of the requests themselves the last, and all under way."""
    known = list(requests.known.values())
    shown = [item for item in known[:-_REQUESTS] if item.fate == UNKNOWN] + known[-_REQUESTS:]
    last = [item.to_json() for item in shown[:_SAMPLES]]
    untold: JsonObject = {**requests.untold}
    return {
        "counts": {**requests.counts()},
        "last": [*last],
        "beyond": requests.beyond.to_json(),
        "untold_connections": untold,
        "may_be_missing": requests.cut,
    }


def _diagnosis(outcome: JsonObject) -> JsonObject | None:
    """As the shim made it; of an end that no shim has seen, what its words say."""
    made = outcome.get("diagnosis")
    if isinstance(made, dict):
        return made
    evidence = outcome.get("evidence")
    end = Ending(
        str(outcome.get("reason")),
        str(outcome.get("error_type") or ""),
        str(outcome.get("error_message") or ""),
        evidence=evidence if isinstance(evidence, dict) else {},
    )
    found = diagnose(end)
    return found.to_json() if found is not None else None


def names_of_steps(records: Iterable[Record]) -> dict[str, str]:
    """What a run's author calls its steps, by their ids."""
    seen = _Seen()
    for record in records:
        if record.kind == Kind.PHASE:
            seen.take(record)
    return seen.names


def text(document: JsonObject, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """The document for a person at a terminal. `names`: of steps, by their ids."""
    outcome = document["outcome"]
    rows = [f"run       {document['run_id']}"]
    if not isinstance(outcome, dict):
        return "\n".join([*rows, "outcome   none yet: the run is under way"])
    kind = outcome["error_type"]
    rows.append(f"outcome   {outcome['reason']}" + (f" / {kind}" if kind else ""))
    if outcome["error_message"]:
        rows.append(f"          {outcome['error_message']}")
    if isinstance(diagnosis := document["diagnosis"], dict):
        told = diagnosed_rows(read_diagnosis(diagnosis).named(names))
        rows += ["", *(visible_line(row) for row in told), ""]
    rows += _memory_rows(document["memory"])
    requests = document["requests"]
    if isinstance(requests, dict) and requests["last"]:
        missing = "; the last may be missing" if requests["may_be_missing"] else ""
        rows.append(f"requests  {_count_words(requests['counts'])}{missing}")
    if isinstance(requests, dict) and isinstance(beyond := requests.get("beyond"), dict):
        rows += [f"          {row}" for row in Beyond.read(beyond).rows]
    if isinstance(requests, dict) and isinstance(untold := requests["untold_connections"], dict):
        rows += [f"untold    {count} connections to {place}" for place, count in untold.items()]
    timeline, lines = document["timeline"], document["last_lines"]
    assert isinstance(timeline, list)
    assert isinstance(lines, list)
    rows += ["", "timeline"]
    for event in timeline:
        assert isinstance(event, dict)
        at = "" if event["ms"] is None else f"{event['ms']} ms"
        rows.append(f"  {at:>11}  {visible_line(str(event['what']))}")
    rows += ["", "last lines", *(f"  {visible_line(str(line))}" for line in lines)]
    return "\n".join(rows)


def _count_words(counts: Json) -> str:
    assert isinstance(counts, dict)
    return ", ".join(f"{count} {fate}" for fate, count in counts.items())


def _memory_rows(memory: Json) -> list[str]:
    assert isinstance(memory, dict)
    counters, samples = memory["counters"], memory["samples"]
    if not isinstance(counters, dict):
        return []
    assert isinstance(samples, list)
    mebibyte = 1024 * 1024
    peak = _count(counters.get("peak")) // mebibyte
    row = f"memory    peak {peak} MB of {memory['limit_mb']} MB ({memory['means']})"
    heap = _count(counters.get("heap")) // mebibyte
    if heap:
        row += f", JavaScript heap {heap} MB"
    return [row]


def _count(value: Json) -> int:
    return value if isinstance(value, int) else 0


def _line(body: JsonObject) -> str:
    message = body.get("message")
    words = message if isinstance(message, list) else [message]
    joined = " ".join(word if isinstance(word, str) else json.dumps(word) for word in words)
    return f"{body.get('source')} {body.get('level')} {joined}"[:_WORDS]


def _large_data(body: JsonObject) -> JsonObject | None:
    size = body.get("data_bytes")
    if not isinstance(size, int) or size < _LARGE_BYTES:
        return None
    names = ("step", "name", "source_bytes", "data_bytes", "forecast_mb", "peak_mb")
    return {name: body.get(name) for name in names}


def _data_bytes(large: Json) -> int:
    return _count(large.get("data_bytes")) if isinstance(large, dict) else 0


def _thinned(samples: list[Json]) -> list[Json]:
    """At most so many, the last one always among them."""
    step = len(samples) // _SAMPLES + 1
    return samples[::-1][::step][::-1]


def _phase(body: JsonObject, name: str) -> str:
    phase, operation = body.get("phase"), body.get("operation")
    what = _PHASES.get(str(phase), f"phase {phase} of")
    return f"{what} {name}" + (f", operation {operation}" if operation else "")


def _completed(body: JsonObject, name: str) -> str:
    return f"{name} ended: {_ending(body)} after {body.get('duration')} ms"


def _ending(body: JsonObject) -> str:
    kind = body.get("error_type")
    return f"{body.get('reason')}" + (f" / {kind}" if kind else "")


_PHASES = {
    "compile": "compiling",
    "load": "loading",
    "step": "executing",
    "serialise": "writing out the state of",
}
#: What an event is called; the second argument is the name of the step it is about.
_EVENTS: dict[Kind, Callable[[JsonObject, str], str]] = {
    Kind.CLAIMED: lambda _body, _name: "claimed",
    Kind.PREPARED: lambda _body, _name: "plan, input and adaptors are here",
    Kind.LAUNCHED: lambda _body, _name: "launched",
    Kind.RUN_START: lambda _body, _name: "run started",
    Kind.PHASE: _phase,
    Kind.STEP_START: lambda _body, name: f"{name} started",
    Kind.STEP_COMPLETE: _completed,
    Kind.RESULT: lambda body, _name: f"the engine says: {body.get('reason')}",
    Kind.RUN_ERROR: lambda body, _name: f"the engine says: {body.get('error_type')}",
    Kind.OUTCOME: lambda body, _name: f"outcome: {_ending(body)}",
}
