"""The rules for what holds instead of a defect accept that and nothing else."""

from __future__ import annotations

import json
from typing import Any

from conformance.instead import UNSERIALISABLE, WITHHELD, holds, softened
from conformance.matching import ANY
from conformance.recording import Recording
from conformance.rules import same_lines, without_our_notes
from holdfast.model.record import Kind

RAW = {"error": {"name": "TypeError", "message": "state.hasOwnProperty is not a function"}}


def traces(*events: dict[str, Any]) -> Recording:
    lines = [{"source": "TRACE", "message": [json.dumps(event)]} for event in events]
    return Recording([(int(Kind.LOG), json.dumps(line).encode()) for line in lines])


def test_a_raw_error_of_the_reference_may_be_a_result() -> None:
    assert holds(RAW, traces({"event": "end", "none": False, "state": {"data": 1}}))
    assert not holds(RAW, traces({"event": "error", "error": {"name": "TypeError"}}))


def test_an_unknown_start_must_be_a_validation_error() -> None:
    message = "Cannot read properties of undefined (reading 'id')"
    expect = {"error": {"name": "TypeError", "message": message}, "events": []}
    refused = {"name": "ValidationError", "severity": "crash", "message": "no"}
    assert holds(expect, traces({"event": "error", "error": refused}))
    assert not holds(expect, traces({"event": "end", "none": True}))


def test_other_errors_have_no_rule() -> None:
    expect = {"error": {"name": "JobError", "message": "bad", "severity": "fail"}}
    assert not holds(expect, traces({"event": "end", "none": True}))
    raw = {"error": {"name": "Error", "message": "state not found: zzz"}}
    assert not holds(raw, traces({"event": "end", "none": True}))


def test_what_the_reference_lost_may_be_there() -> None:
    run = traces({"event": "end", "none": False, "state": {"data": "10"}})
    assert softened({}, {"state": UNSERIALISABLE}, run) == {"state": ANY}
    expect = {"state": {"data": {"got": WITHHELD, "kept": 1}}}
    assert softened({}, expect, run) == {"state": {"data": {"got": ANY, "kept": 1}}}
    plain = {"state": {"data": "[REDACTED] by hand"}}
    assert softened({}, plain, run) == plain


def test_only_names_of_the_web_may_be_seen_besides() -> None:
    case = {"job": "export default [s => [typeof URL, typeof process]]"}
    expect = {"state": [["undefined", "undefined"], []]}
    seen = traces({"event": "end", "none": False, "state": [["function", "undefined"], ["URL"]]})
    assert softened(case, expect, seen)["state"] == [["function", "undefined"], ["URL"]]
    host = traces(
        {"event": "end", "none": False, "state": [["undefined", "undefined"], ["process"]]}
    )
    assert softened(case, expect, host)["state"] == expect["state"]


def test_versions_by_text_are_not_compared() -> None:
    manifest = json.dumps({"dependencies": {"m_9.0.0": "*", "m_10.0.0": "*"}})
    case = {"files": {"repo/package.json": manifest}}
    assert softened(case, {"state": {"data": "nine"}}, traces()) == {"state": ANY}
    manifest = json.dumps({"dependencies": {"m_1.0.0": "*", "m_2.0.0": "*"}})
    case = {"files": {"repo/package.json": manifest}}
    assert softened(case, {"state": 1}, traces()) == {"state": 1}


def test_lines_may_say_more_than_nothing_but_nothing_else() -> None:
    def line(*message: Any) -> list[dict[str, Any]]:
        return [{"level": "info", "message": list(message)}]

    error = {"name": "Error", "message": "e"}
    assert same_lines(line([{}]), line([error]))
    assert same_lines(line({"e": {}}), line({"e": error}))
    assert same_lines(line(error), line({**error, "cause": error}))
    assert not same_lines(line({"a": 1}), line({"a": 1, "b": 2}))
    assert not same_lines(line({"a": 1}), line({"a": 2}))
    note = "WARNING: operation 2 returned 0, which counts as no state"
    assert without_our_notes([{"level": "warn", "message": [note]}]) == []
    other = [{"level": "warn", "message": ["WARNING: No state was passed into operation 2."]}]
    assert without_our_notes(other) == other
