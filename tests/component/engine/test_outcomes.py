"""Every way a run can end, with real processes: reason, error type, message, evidence."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from holdfast.engine.client import Engine, RunHandle
from holdfast.engine.config import EngineConfig
from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from support.engine import ESCAPE, LIMITS, Running, engine, execute, job, next_record, prepare, run
from support.native import WITHOUT, library
from support.native import job as crashing
from support.waiting import eventually


def operation(body: str) -> str:
    return f"export default [state => {{ {body} }}];"


def test_success_keeps_the_final_state(running: Running) -> None:
    ended = run(running, operation("return { data: { n: 1 } }"), options={"compile": False})
    assert ended.outcome.reason is Reason.SUCCESS
    assert ended.outcome.error_type is None
    assert ended.bodies(Kind.RESULT)[0]["final_state"] == {"inline": '{"data":{"n":1}}'}
    kinds = [kind for kind, _ in ended.records]
    assert kinds[:3] == [Kind.CLAIMED, Kind.PREPARED, Kind.LAUNCHED]
    assert kinds[-1] is Kind.OUTCOME
    assert "Memory limit: 128mb" in ended.log
    assert "Timeout: 60s" in ended.log


def test_engine_that_cannot_start_is_no_fault_of_the_author(tmp_path: Path) -> None:
    """Its program is gone: Node.js says so, while the job is compiled."""
    with engine(tmp_path) as started:
        for file in tmp_path.glob("program/*/load.cjs"):
            file.unlink()
        ended = run(started, operation("return state"))
    assert ended.outcome.reason is Reason.EXCEPTION
    assert ended.outcome.error_type == "EngineFailure"
    assert "Cannot find module" in str(ended.outcome.error_message)
    assert ended.evidence["ready"] is False


async def test_relative_folders_of_an_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor alone, as a service file may start it: every argument is a relative path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real").mkdir()
    Path("ça va").symlink_to("real")
    arguments = ("-m", "holdfast.engine.supervisor", "--data", "ça va", "--socket", "./e.sock")
    config = EngineConfig(Path("ça va"), Path("e.sock"))
    process = subprocess.Popen([sys.executable, *arguments])
    try:
        await Engine.connect(config.socket)
        running, options = Running(config, process), {"compile": False}
        ended = await asyncio.to_thread(run, running, operation("return {}"), options=options)
        assert ended.outcome.reason is Reason.SUCCESS
    finally:
        process.terminate()
        process.wait(30)


def test_a_failed_job(running: Running) -> None:
    ended = run(running, operation("throw new Error('boom')"))
    assert ended.outcome.reason is Reason.FAIL
    assert (ended.outcome.error_type, ended.outcome.error_message) == ("JobError", "boom")


def test_a_syntax_error_names_the_step(running: Running) -> None:
    ended = run(running, job("fn(state => {", name="Broken"))
    assert ended.outcome.reason is Reason.CRASH
    assert ended.outcome.error_type == "CompileError"
    assert str(ended.outcome.error_message).startswith("Broken: ")
    assert ended.bodies(Kind.STEP_START) == []


def test_too_many_objects_end_in_v8s_own_report(running: Running) -> None:
    code = "const kept = []; while (true) kept.push(Array.from({ length: 1000 }, Object));"
    ended = run(running, operation(code))
    assert ended.outcome.reason is Reason.KILL
    assert ended.outcome.error_type == "OOMError"
    assert str(ended.outcome.error_message).startswith("Run exceeded maximum memory usage")
    assert "JavaScript objects" in str(ended.outcome.error_message)
    assert 'in step "A"' in str(ended.outcome.error_message)
    tail = str(ended.evidence["stderr_tail"])
    assert "[node]" in tail
    assert "site-packages" not in tail
    closed = ended.bodies(Kind.STEP_COMPLETE)[-1]
    assert (closed["reason"], closed["error_type"]) == ("kill", "OOMError")


def test_too_many_buffers_are_stopped(running: Running) -> None:
    code = "const kept = []; while (true) kept.push(Buffer.alloc(1 << 20, 1));"
    ended = run(running, operation(code))
    assert ended.outcome.error_type == "OOMError"
    assert "all memory of the run" in str(ended.outcome.error_message)
    memory: Any = ended.evidence["memory"]
    if memory["means"] == "sampling":  # an ordinary user has no groups
        assert ended.evidence["stop"] == "memory"
    else:
        assert memory["peak"] <= memory["limit"] * 1.05
        assert memory["oom_kills"] >= 1


def test_out_of_memory_while_compiling_says_so(running: Running) -> None:
    # A literal that cannot be hoisted, because it is no plain data: the compiler holds its tree.
    code = "fn(state => [" + "x(1)," * 1_500_000 + "]);"
    ended = run(running, job(code), limits=replace(LIMITS, memory_mb=64))
    assert ended.outcome.error_type == "OOMError"
    assert "while compiling" in str(ended.outcome.error_message)
    assert ended.evidence["process"] == "compiler"
    assert ended.bodies(Kind.STEP_START) == []


def test_a_busy_loop_is_timed_out_and_its_step_closed(running: Running) -> None:
    # Long enough that the step has begun, also on a very busy machine.
    limits = replace(LIMITS, timeout_seconds=5)
    # The compiler moves operations behind functions: the author's line is another one there.
    code = "fn(s => {\n  return s;\n});\nfunction more() {\n  while (true);\n}\nfn(s => more());\n"
    ended = run(running, job(f"{code}function fn(f) {{ return f; }}\n"), limits=limits)
    assert ended.outcome.reason is Reason.KILL
    notes = ended.evidence["notes"]
    assert isinstance(notes, dict)
    assert notes["hot"] == {"line": 5, "column": 3, "src": "  while (true);"}
    assert "KEYBOARD_INTERRUPT" not in str(ended.records)
    assert ended.outcome.error_type == "TimeoutError"
    expected = "Workflow failed to return within 5000ms"
    assert str(ended.outcome.error_message).startswith(expected)
    start, end = ended.bodies(Kind.STEP_START)[0], ended.bodies(Kind.STEP_COMPLETE)[0]
    assert start["step_id"] == end["step_id"]
    assert (end["reason"], end["error_type"]) == ("kill", "TimeoutError")


def test_a_kill_from_outside_is_told_as_that(running: Running) -> None:
    async def kill(handle: RunHandle) -> None:
        await next_record(handle, Kind.STEP_START)
        launched = await next_record(handle, Kind.LAUNCHED)
        pids = launched["pids"]
        assert isinstance(pids, dict)
        os.kill(int(str(pids["engine"])), signal.SIGKILL)

    ended = execute(running, prepare(running, operation("while (true);")), kill)
    assert ended.outcome.reason is Reason.EXCEPTION
    assert ended.outcome.error_type == "ExternalKill"
    assert ended.evidence["signal"] == "SIGKILL"
    assert ended.bodies(Kind.STEP_COMPLETE)[0]["error_type"] == "ExternalKill"


def test_cancelling(running: Running) -> None:
    async def cancel(handle: RunHandle) -> None:
        await next_record(handle, Kind.STEP_START)
        await handle.cancel("stopped by a person")

    ended = execute(running, prepare(running, operation("while (true);")), cancel)
    assert ended.outcome.reason is Reason.CANCEL
    assert ended.outcome.error_message == "stopped by a person"


def test_another_listener_may_join(running: Running) -> None:
    async def attach(handle: RunHandle) -> None:
        await next_record(handle, Kind.STEP_START)
        second = await RunHandle.attach(handle.folder.path)
        await second.cancel("from the second")
        assert (await second.outcome()).reason is Reason.CANCEL

    ended = execute(running, prepare(running, operation("while (true);")), attach)
    assert ended.outcome.error_message == "from the second"


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    """An engine whose runs can load the library that is returned with it."""
    folder = tmp_path_factory.mktemp("native")
    attacker = library(folder / "store")
    with engine(folder / "data", without=WITHOUT, store=attacker.parent) as started:
        yield started, attacker


def test_a_crash_of_node(native: tuple[Running, Path]) -> None:
    running, attacker = native
    ended = run(running, crashing(attacker, "crash"))
    assert ended.outcome.reason is Reason.CRASH
    assert ended.outcome.error_type == "EngineCrash"


def test_leaving_without_a_word(running: Running) -> None:
    ended = run(running, operation(ESCAPE + "process.reallyExit(7)"))
    assert ended.outcome.reason is Reason.CRASH
    assert ended.outcome.error_type == "ExitError"
    assert "7" in str(ended.outcome.error_message)


def test_a_crash_with_forged_last_words_is_no_memory_report(native: tuple[Running, Path]) -> None:
    running, attacker = native
    words = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"
    code = crashing(attacker, "crash").replace(
        "const fs", f"const forged = '{words}'; const fs", 1
    )
    code = code.replace("try {", "fs.writeSync(2, forged); try {", 1)
    ended = run(running, code, limits=replace(LIMITS, memory_mb=500))
    assert ended.outcome.error_type == "EngineCrash"
    assert words in str(ended.evidence["stderr_tail"])


def test_a_promise_that_nothing_settles(running: Running) -> None:
    ended = run(running, operation("return new Promise(() => {})"))
    assert ended.outcome.error_type == "DeadlockError"


def test_more_output_than_the_journal_may_hold(running: Running) -> None:
    limits = replace(LIMITS, journal_mb=1)
    ended = run(running, operation("while (true) console.log('x'.repeat(1000))"), limits=limits)
    assert ended.outcome.reason is Reason.KILL
    assert ended.outcome.error_type == "OutputLimitError"
    assert ended.folder.journal.stat().st_size < 2 * 1024 * 1024


def test_a_missing_plan_is_an_outcome_too(running: Running) -> None:
    request = prepare(running, operation("return state"))
    (request.directory / "plan.json").unlink()
    ended = execute(running, request)
    assert ended.outcome.reason is Reason.EXCEPTION
    assert ended.outcome.error_type == "StorageError"


def test_large_documents_go_through_blobs(running: Running) -> None:
    state: dict[str, object] = {"data": {"text": "ä" * 1_000_000}}
    ended = run(running, operation("return state"), state=state)
    assert ended.outcome.reason is Reason.SUCCESS
    document: Any = ended.bodies(Kind.RESULT)[0]["final_state"]
    blob = ended.folder.path / "blobs" / str(document["blob"])
    assert blob.stat().st_size == document["bytes"] > 2_000_000
    assert blob.read_text().count("ä") == 1_000_000


def test_credentials_stay_out_of_the_folder(running: Running) -> None:
    secret = "s3cret-in-no-file"
    code = operation("return { data: state.configuration.password.length }")
    ended = run(running, code, credentials={"a": {"password": secret}})
    assert ended.bodies(Kind.RESULT)[0]["final_state"] == {"inline": f'{{"data":{len(secret)}}}'}
    for path in ended.folder.path.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def test_credentials_stay_out_of_the_evidence(running: Running) -> None:
    # Libraries that trace what they do write to standard error, past everything that masks.
    secret = "s3cret-in-no-file"
    write = "process.getBuiltinModule('fs').writeSync"
    say = f"{write}(2, `login with ${{state.configuration.password}}`);"
    code = operation(f"{ESCAPE} {say} process.exit(3);")
    ended = run(running, code, credentials={"a": {"password": secret}})
    assert ended.outcome.error_type == "ExitError"
    assert "login with ***" in str(ended.evidence["stderr_tail"])
    for path in ended.folder.path.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def test_numbers_that_only_look_like_v8s_are_no_obstacle(running: Running) -> None:
    fakes = "-> 1.2.3 (4) MB -> " + "9" * 400 + " (1) MB [/[/a/b]"
    say = f"process.getBuiltinModule('fs').writeSync(2, '{fakes}');"
    ended = run(running, operation(f"{ESCAPE} {say} process.exit(3);"))
    assert ended.outcome.error_type == "ExitError"
    assert ended.evidence["stderr_tail"] == fakes.replace("/a/", "")


async def test_runs_side_by_side(running: Running) -> None:
    from holdfast.engine.client import Engine

    async def go() -> list[Reason]:
        engine_ = Engine(running.config.socket)
        requests = [prepare(running, operation(f"return {{ data: {n} }}")) for n in range(8)]
        handles = await asyncio.gather(*(engine_.launch(request) for request in requests))
        outcomes = await asyncio.gather(*(handle.outcome() for handle in handles))
        return [outcome.reason for outcome in outcomes]

    assert await go() == [Reason.SUCCESS] * 8


def test_nothing_is_left_behind(running: Running) -> None:
    ended = run(running, operation("return state"))
    launched = ended.bodies(Kind.LAUNCHED)[0]
    assert not (ended.folder.path / "control.sock").exists()
    groups = str(launched["group"]).split(":") if launched["group"] else []
    left = [Path(name) for name in (str(launched["scratch"]), *groups)]
    # The outcome is told first: clearing up may take a moment longer.
    eventually(lambda: not any(path.exists() for path in left), f"{left} are gone")
