"""A real Node process, spoken to in frames: what a run leaves, however it goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.direct import MAIN, execute
from holdfast.engine.frames import FromRun
from holdfast.model.record import Kind
from support.jobs import job, lines, one, run


def test_a_run_is_opened_closed_and_ended() -> None:
    ended = run(job("export default [s => ({ ...s, n: 1 })]"), input_text='{"data":{"x":1}}')
    start, complete, result = (
        one(ended, kind) for kind in (Kind.STEP_START, Kind.STEP_COMPLETE, Kind.RESULT)
    )
    assert ended.code == 0
    assert ended.frames[0][0] == FromRun.READY
    assert start["step_id"] == complete["step_id"]
    assert complete["reason"] == "success"
    assert complete["error_type"] is None
    assert ended.document(complete["output"]) == {"data": {"x": 1}, "n": 1}
    assert result["final_dataclip_id"] == complete["output_dataclip_id"]
    assert result["reason"] == "success"
    assert not ended.plain
    assert not ended.errors


def test_holes_in_the_list_of_operations_are_passed_over() -> None:
    ended = run(job("export default [s => ({ n: 1 }), , s => ({ n: s.n + 1 })]"))
    assert ended.document(one(ended, Kind.STEP_COMPLETE)["output"]) == {"n": 2}


def test_timestamps_rise_strictly() -> None:
    ended = run(job("for (let i = 0; i < 500; i++) console.log(i); export default []"))
    stamps = [
        int(json.loads(body)["timestamp"])
        for kind, body in ended.frames
        if kind in {Kind.LOG, Kind.STEP_START, Kind.STEP_COMPLETE, Kind.RESULT}
    ]
    assert stamps == sorted(set(stamps))
    assert all(len(str(stamp)) == 16 for stamp in stamps)


def test_phases_tell_step_and_operation_before_it_runs() -> None:
    code = "export default [s => s, s => { console.log('second'); return s; }]"
    ended = run(job(code))
    order = [
        json.loads(body).get("operation") or json.loads(body).get("message")
        for kind, body in ended.frames
        if kind == Kind.PHASE or (kind == Kind.LOG and b'"JOB"' in body)
    ]
    assert order == [None, 1, 2, ["second"], None]
    assert [body["phase"] for body in ended.bodies(Kind.PHASE)] == [
        "load",
        "step",
        "step",
        "serialise",
    ]


def test_a_large_state_travels_in_pieces_and_arrives_whole() -> None:
    code = "export default [s => ({ data: Array.from({length: 60000}, (_, i) => `ü€😀${i}`) })]"
    ended = run(job(code))
    complete = one(ended, Kind.STEP_COMPLETE)
    assert complete["output"]["bytes"] > 256 * 1024
    value = ended.document(complete["output"])
    assert value == {"data": [f"ü€😀{i}" for i in range(60000)]}
    assert ended.document(one(ended, Kind.RESULT)["final_state"]) == value
    assert all(len(body) <= 256 * 1024 + 4 for kind, body in ended.frames)


def test_withholding_an_output_changes_nothing_for_the_next_step() -> None:
    first = job(
        "export default [s => ({ data: { big: 'z'.repeat(4096) }, kept: 1 })]", next={"b": True}
    )
    second = {"id": "b", "expression": "export default [s => ({ n: s.data.big.length })]"}
    ended = run(first, second, options={"payload_limit_mb": 0.001})
    a, b = ended.bodies(Kind.STEP_COMPLETE)
    assert a["output"]["withheld"] == "DATACLIP_TOO_LARGE"
    assert a["output"]["largest_key"] == "data"
    assert "output_dataclip_id" not in a
    assert ended.document(b["output"]) == {"n": 4096}
    assert "input_dataclip_id" not in ended.bodies(Kind.STEP_START)[1]
    assert any("payload limit" in line[0] for line in lines(ended, "R/T") if "Data" in line[0])


@pytest.mark.parametrize("value", ["42", "[1, 2]", "'text'", "true"])
def test_a_result_that_is_no_object_is_kept_and_marked(value: str) -> None:
    ended = run(job(f"export default [s => ({value})]"))
    complete, result = one(ended, Kind.STEP_COMPLETE), one(ended, Kind.RESULT)
    assert complete["wrapped"] is True
    assert result["wrapped"] is True
    expected = json.loads(value.replace("'", '"'))
    assert ended.document(complete["output"]) == {"data": expected}
    assert any("no object" in str(line) for line in lines(ended, "R/T"))


def test_a_state_that_cannot_be_json_closes_its_step_and_says_why() -> None:
    ended = run(job("export default [s => ({ get x() { throw new Error('no'); } })]"))
    complete, error = one(ended, Kind.STEP_COMPLETE), one(ended, Kind.RUN_ERROR)
    assert complete["reason"] == "crash"
    assert error["subtype"] == "InvalidResultError"
    assert "cannot be written as JSON: no" in error["error_message"]


HOSTILE = "new Proxy({}, { get() { throw 1 }, has() { throw 1 }, ownKeys() { throw 1 },"
HOSTILE += " getPrototypeOf() { throw 1 }, getOwnPropertyDescriptor() { throw 1 } })"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (f"export default [s => {HOSTILE}]", "fail"),  # awaiting it throws
        (f"export default [s => ({{ data: {HOSTILE} }})]", "crash"),
        (f"export default [s => {{ throw {HOSTILE}; }}]", "fail"),
        (f"throw {HOSTILE}; export default []", "fail"),
        (f"Promise.reject({HOSTILE}); export default [s => new Promise(() => {{}})]", "crash"),
        (f"console.log({HOSTILE}); export default [s => s]", "success"),
        (
            "export default [s => { s.__defineGetter__('errors', () => { throw 1 }); null.x; }]",
            "crash",
        ),
        ("export default [s => { throw Object.create(null); }]", "fail"),
        ("export default [s => ({ then(done) { done({ data: 1 }) } })]", "success"),
        ("let o = {}; for (let i = 0; i < 1e5; i++) o = { o }; export default [s => o]", "crash"),
    ],
)
def test_hostile_values_end_the_run_truthfully(code: str, reason: str) -> None:
    ended = run(job(code))
    assert one(ended, Kind.STEP_COMPLETE)["reason"] == reason
    assert ended.code == 0
    ends = ended.bodies(Kind.RESULT) + ended.bodies(Kind.RUN_ERROR)
    assert len(ends) == 1
    assert ends[0].get("severity", ends[0].get("reason")) == reason


def test_leaves_are_gathered_by_key_without_the_empty_ones() -> None:
    steps: list[dict[str, Any]] = [
        {"id": "s", "next": {"a": True, "b": True, "c": True}},
        {"id": "a", "expression": "export default [s => ({ data: 'a' })]"},
        {"id": "b", "expression": "export default [s => ({ data: {} })]"},
        {"id": "c", "expression": "export default [s => { throw new Error('bad'); }]"},
    ]
    ended = run(*steps)
    result = one(ended, Kind.RESULT)
    state = ended.document(result["final_state"])
    assert set(state) == {"a", "c"}
    assert "final_dataclip_id" not in result
    assert (result["reason"], result["error_type"]) == ("fail", "JobError")


def test_a_run_in_which_no_job_ran_ends_with_its_input() -> None:
    trigger = {"id": "t", "next": {"a": "state.data.go"}}
    given = '{"data":{"go":false},"empty":{},"list":[]}'
    ended = run(trigger, job("export default [s => s]"), input_text=given)
    result = one(ended, Kind.RESULT)
    assert ended.document(result["final_state"]) == {"data": {"go": False}}
    assert "final_dataclip_id" not in result


@pytest.mark.parametrize("order", [["t", "u", "b"], ["b", "t", "u"], ["t", "b", "u"]])
def test_a_state_handed_on_by_triggers_reaches_every_reader(order: list[str]) -> None:
    read = "export default [s => ({ data: s.data.n + 1 })]"
    ended = run(
        job("export default [s => ({ data: { n: 1 } })]", next=dict.fromkeys(order, True)),
        {"id": "t"},
        {"id": "u", "next": {"c": "state.data.n === 1"}},
        {"id": "b", "expression": read},
        {"id": "c", "expression": read},
    )
    state = ended.document(one(ended, Kind.RESULT)["final_state"])
    assert state == {"t": {"data": {"n": 1}}, "b": {"data": 2}, "c": {"data": 2}}


def test_the_answer_to_a_webhook_is_reported() -> None:
    code = "export default [s => ({ webhookResponse: { status: 202, body: { ok: true } } })]"
    ended = run(job(code))
    complete = one(ended, Kind.STEP_COMPLETE)
    answer = {"status": 202, "body": {"ok": True}}
    assert ended.document(complete["webhook_response_document"]) == answer


def test_a_large_answer_to_a_webhook_is_a_document() -> None:
    code = "export default [s => ({ webhookResponse: { body: 'ü'.repeat(100_000) } })]"
    ended = run(job(code))
    complete = one(ended, Kind.STEP_COMPLETE)
    assert ended.document(complete["webhook_response_document"]) == {"body": "ü" * 100_000}


def test_an_answer_to_a_webhook_may_be_nested_deeper_than_the_shim_can_look() -> None:
    code = (
        "export default [s => { let x = []; for (let i = 1; i < 2000; i++) x = [x];"
        " return { data: 1, webhookResponse: { body: x } }; }]"
    )
    complete = one(run(job(code)), Kind.STEP_COMPLETE)
    deep = '{"body":' + "[" * 2000 + "]" * 2000 + "}"
    assert complete["webhook_response_document"] == {"inline": deep}


def test_credentials_come_by_step_and_leave_no_trace_in_the_state() -> None:
    code = "export default [s => ({ ...s, seen: s.configuration.token.length })]"
    ended = run(job(code), credentials={"a": {"token": "hunter2!"}})
    assert ended.document(one(ended, Kind.STEP_COMPLETE)["output"]) == {"data": {}, "seen": 8}
    assert not any(b"hunter2!" in body for _, body in ended.frames)


def test_an_input_that_is_no_json_is_nobodys_crash() -> None:
    error = one(run(job("export default []"), input_text='{"data":'), Kind.RUN_ERROR)
    assert (error["error_type"], error["severity"]) == ("DataClipError", "exception")


def test_what_nothing_can_continue_ends_at_once() -> None:
    error = one(run(job("export default [s => new Promise(() => {})]")), Kind.RUN_ERROR)
    assert (error["error_type"], error["severity"], error["step"]) == (
        "DeadlockError",
        "crash",
        "a",
    )


def test_a_late_exception_is_put_down_to_the_step_that_made_it() -> None:
    first = job(
        "export default [s => { setTimeout(() => { throw new Error('late'); }, 1); return s; }]",
        name="First",
        next={"b": True},
    )
    second = {"id": "b", "expression": "export default [s => new Promise(() => {})]"}
    ended = run(first, second)
    error = one(ended, Kind.RUN_ERROR)
    assert (error["error_type"], error["error_message"]) == ("ExecutionError", "late")
    assert error["step"] == "a"
    assert error["position"] == {"line": 1, "column": 49}
    assert [body["reason"] for body in ended.bodies(Kind.STEP_COMPLETE)] == ["success", "crash"]


def test_an_unhandled_rejection_ends_the_run() -> None:
    rejected = "Promise.reject(new Error('nobody'));"
    code = f"export default [s => {{ {rejected} return new Promise(() => {{}}); }}]"
    error = one(run(job(code)), Kind.RUN_ERROR)
    assert (error["error_type"], error["error_message"]) == ("ExecutionError", "nobody")


def test_logs_before_an_endless_loop_are_already_out() -> None:
    code = "export default [s => { console.log('before'); while (true) {} }]"
    plan = {"id": "r", "workflow": {"steps": [job(code)]}}
    ended = execute(plan, kill_when=lambda kind, body: kind == Kind.LOG and b"before" in body)
    assert ["before"] in lines(ended, "JOB")
    assert ended.code == -9


def test_a_flood_of_lines_keeps_its_order() -> None:
    ended = run(job("for (let i = 0; i < 20000; i++) console.log(i); export default []"))
    assert lines(ended, "JOB") == [[i] for i in range(20000)]
    assert one(ended, Kind.STEP_COMPLETE)["measures"]["log_lines"] >= 20000


def test_measures_of_a_step() -> None:
    code = """export default [s => {
        const until = Date.now() + 60; let n = 0;
        while (Date.now() < until) n += 1;
        globalThis.kept = Array.from({ length: 400000 }, (_, i) => ({ i }));
        return s; }, s => s]"""
    given = json.dumps({"data": "x" * 1000})
    measures = one(run(job(code), input_text=given), Kind.STEP_COMPLETE)["measures"]
    assert measures["duration_ms"] >= 55
    assert measures["cpu_ms"] >= 40
    assert measures["peak_heap_bytes"] > 8_000_000
    assert measures["peak_memory_bytes"] > measures["peak_heap_bytes"]
    assert measures["state_in_bytes"] == len(given.replace(" ", "")) + 1
    assert measures["state_out_bytes"] >= 1000


def test_an_escaped_plan_cannot_have_a_step_twice_open() -> None:
    ended = run(
        {"id": "s", "next": {"a": True, "b": True}},
        job("export default [s => s]", next={"z": True}),
        {"id": "b", "expression": "export default [s => s]", "next": {"z": True}},
        {"id": "z", "expression": "export default [s => s]"},
    )
    opened = [body["step_id"] for body in ended.bodies(Kind.STEP_START)]
    assert len(set(opened)) == 4
    assert opened == [body["step_id"] for body in ended.bodies(Kind.STEP_COMPLETE)]


def test_nothing_but_the_engine_needs_to_be_readable(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    escape = (
        "export default [s => { const p = s.constructor.constructor('return process')();"
        f" return {{ data: p.getBuiltinModule('fs').readFileSync({str(secret)!r}, 'utf8') }}; }}]"
    )
    flags = ("--permission", f"--allow-fs-read={MAIN.parent}/*")
    complete = one(run(job(escape), flags=flags), Kind.STEP_COMPLETE)
    assert complete["reason"] == "fail"
    assert "Access to this API has been restricted" in complete["error_message"]


def test_a_process_that_is_not_needed_leaves_when_its_pipe_closes() -> None:
    ended = execute({}, only=b"")
    assert ended.code == 0
    assert [kind for kind, _ in ended.frames] == [FromRun.READY]
