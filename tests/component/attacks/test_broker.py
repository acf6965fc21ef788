"""What native code does to its broker, and through it to its shim (issue 12)."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.engine.client import RunHandle
from holdfast.model.json import Json
from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from holdfast.sandbox import processes
from support.engine import (
    LIMITS,
    Running,
    engine,
    execute,
    next_record,
    prepare,
    run,
)
from support.native import WITHOUT, job


@pytest.fixture(scope="module")
def running(public_folder: Path, attacker: Path) -> Iterator[Running]:
    with engine(public_folder / "broker", without=WITHOUT, store=attacker.parent) as started:
        yield started


@contextmanager
def silent_port() -> Iterator[int]:
    """A port of this machine that answers no further connection: its queue is full."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = server.getsockname()
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(address)
        yield address[1]


def test_calls_that_make_no_sense_are_only_errors(running: Running, attacker: Path) -> None:
    ended = run(running, job(attacker, "broken-calls", 0, 9))
    assert ended.outcome.reason is Reason.SUCCESS, ended.outcome
    assert "done 0" in str(ended.bodies(Kind.RESULT)[0]["final_state"])
    assert "broker" not in ended.log


def test_a_connection_that_waits_holds_up_no_time_limit(running: Running, attacker: Path) -> None:
    with silent_port() as port:
        egress: Json = {"allow": [f"127.0.0.1:{port}"]}
        ended = run(
            running,
            job(attacker, "held-up", 0, port, "127.0.0.1"),
            limits=replace(LIMITS, timeout_seconds=1),
            options={"egress": egress},
        )
    assert ended.outcome.error_type == "TimeoutError", ended.outcome
    duration = ended.evidence["duration_ms"]
    assert isinstance(duration, int)
    assert duration < 20_000, "the shim slept while the run went on"


def test_a_flood_of_calls_holds_up_no_time_limit(running: Running, attacker: Path) -> None:
    limits = replace(LIMITS, timeout_seconds=1)
    ended = run(running, job(attacker, "flood", 0, 9), limits=limits)
    assert ended.outcome.error_type == "TimeoutError", ended.outcome
    assert ended.log.count("Connection to") == 20
    assert "connections of this run were refused" in ended.log


def test_without_its_broker_a_run_connects_nowhere(running: Running) -> None:
    code = (
        "export default [async state => { for (;;) {"
        " const code = await fetch('http://127.0.0.1:8009/').catch(e => e.cause.code);"
        " if (code !== 'EACCES') return { data: code };"
        " await new Promise(r => setTimeout(r, 20)); } }];"
    )
    request = prepare(running, code)

    async def end_broker(handle: RunHandle) -> None:
        launched = await next_record(handle, Kind.LAUNCHED)
        shim, pids = launched["shim"], launched["pids"]
        assert isinstance(shim, int)
        assert isinstance(pids, dict)
        own = set(pids.values())
        for _ in range(3000):
            for other in set(processes.children(shim)) - own:
                os.kill(other, signal.SIGKILL)
                return
            await asyncio.sleep(0.02)

    ended = execute(running, request, end_broker)
    assert ended.outcome.reason is Reason.SUCCESS, ended.outcome
    assert ended.bodies(Kind.RESULT)[0]["final_state"] == {"inline": '{"data":"ENOSYS"}'}
    assert "The broker of this run ended: further connections are refused" in ended.log
