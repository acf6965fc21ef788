"""What holds instead where a recorded result rests on a defect of the reference.

Rules, not cases: `deviations.json` says exactly what the known cases must give; these say what
any other case that shows the same defect must at least give.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from conformance.matching import ANY, same_event
from conformance.recorded import Case
from conformance.recording import Recording
from conformance.rules import WEB_NAMES

#: What the reference makes of a whole state that holds a BigInt, and of data it withholds.
UNSERIALISABLE = "[unable to serialize, circular reference is too complex to analyze]"
WITHHELD = "[REDACTED]"


def invalid(recording: Recording) -> bool:
    error = recording.error or {}
    return error.get("name") == "ValidationError" and error.get("severity") == "crash"


def ended(recording: Recording) -> bool:
    return recording.end is not None


def recorded(recording: Recording) -> bool:
    """The step that failed is recorded as failed, and the run goes on."""
    failed = [event for event in recording.events if event["event"] == "job-error"]
    return ended(recording) and bool(failed) and isinstance(failed[-1]["state"]["errors"], dict)


def no_result(recording: Recording) -> bool:
    """A crash that says so, or no result."""
    if recording.error is None:
        return ended(recording)
    return recording.error.get("subtype") == "InvalidResultError"


#: Raw errors of the reference's own code, and what must be true of a run here.
RAW: tuple[tuple[str, Callable[[Recording], bool]], ...] = (
    (r"Cannot read properties of undefined \(reading '(id|reduce)'\)", invalid),
    (r"Maximum call stack size exceeded", invalid),
    (r"Cannot read properties of null \(reading 'data'\)", ended),
    (r"Cannot read properties of null \(reading 'Symbol\(null_state\)'\)", ended),
    (r"Cannot delete property '\w+' of .+", ended),
    (r"state\.hasOwnProperty is not a function", ended),
    (r"Cannot create property '.+' on \w+ '.*'", recorded),
    (r'"undefined" is not valid JSON', no_result),
)


def holds(expect: dict[str, Any], recording: Recording) -> bool:
    """Whether a run that should have ended with a raw error ended as it must here."""
    error = expect.get("error", {})
    raw = "severity" not in error or error.get("type") in {"TypeError", "SyntaxError"}
    if not error or not raw:
        return False
    rule = next(
        (rule for text, rule in RAW if re.fullmatch(text, str(error.get("message")))), None
    )
    if rule is None or not rule(recording):
        return False
    if "type" in error:  # of the engine: its events have another shape
        return True
    wanted = expect.get("events", [])
    return all(map(same_event, wanted, recording.events)) and len(wanted) <= len(recording.events)


def softened(case: Case, expect: dict[str, Any], recording: Recording) -> dict[str, Any]:
    """The expectation without what it says of a defect."""
    if versions_by_text(case):
        return {"state": ANY}
    result: dict[str, Any] = _without_markers(expect)
    if any(re.search(rf"\b{name}\b", json.dumps(case)) for name in WEB_NAMES):
        result = _with_web_names(result, recording)
    return result


def _without_markers(value: Any) -> Any:
    if value in (UNSERIALISABLE, WITHHELD):
        return ANY
    if isinstance(value, list):
        return [_without_markers(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_markers(item) for key, item in value.items() if key != "redacted"}
    return value


def _with_web_names(expect: dict[str, Any], recording: Recording) -> dict[str, Any]:
    """Where job code asks what there is, the names of docs/compatibility.md 5 are there."""
    state = (recording.end or {}).get("state")
    found = _seen(expect.get("state"), state) if "state" in expect else None
    if found is None:
        return expect
    return {**{key: item for key, item in expect.items() if key != "events"}, "state": found}


def _seen(expected: Any, actual: Any) -> Any:
    """`expected` with what web names change in it, as it is in `actual`."""
    if expected in ("undefined", False) and actual in ("function", True):
        return actual
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {key: _seen(item, actual.get(key)) for key, item in expected.items()}
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) == len(actual):
            return list(map(_seen, expected, actual))
        further = [item for item in actual if item not in expected]
        return actual if set(map(str, further)) <= WEB_NAMES else expected
    return expected


def versions_by_text(case: Case) -> bool:
    """Whether a repository holds versions whose order as text is not their order.

    Reason: `docs/compatibility.md` 9.
    """
    by_name: dict[str, list[str]] = {}
    for name, version in _aliases(case):
        by_name.setdefault(name, []).append(version)
    return any(max(found) != max(found, key=_numbers) for found in by_name.values())


def _aliases(case: Case) -> Iterator[tuple[str, str]]:
    manifest = case.get("files", {}).get("repo/package.json")
    for alias in json.loads(manifest).get("dependencies", {}) if manifest else ():
        name, _, version = alias.partition("_")
        yield name, version


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]
