"""Stopping a worker: what was taken is finished, in the time that was given."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path

import httpx

from holdfast.testing.platform import TwinPlatform, one_job_plan
from support.streams import closed_gate
from support.waiting import until
from support.worker import QUICK, Worker, alive, descendants, slow


async def test_w29_w31_w32_a_drain_finishes_what_runs_and_takes_nothing_more(
    tmp_path: Path,
) -> None:
    async with (
        closed_gate() as gate,
        TwinPlatform() as platform,
        Worker(platform, tmp_path) as worker,
    ):
        url = await worker.ready()
        run = platform.enqueue(one_job_plan(gate.job), input={})
        await platform.until(lambda: "at the gate" in run.logs)
        assert worker.process is not None
        worker.process.terminate()
        await worker.until(lambda: "worker.draining" in worker.text())
        claims = len(platform.claims)
        late = platform.enqueue(one_job_plan(QUICK), input={})
        platform.push("worker:queue", "work-available", {})
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            assert (await client.get("/livez")).status_code == 200
            assert "draining" in (await client.get("/readyz")).text
            assert (await client.post("/claim")).status_code == 204
        gate.opened.set()
        assert await asyncio.to_thread(worker.process.wait, 20) == 0
        assert run.state == "success"
        assert len(platform.claims) == claims
        assert late.state == "available"


async def test_w30_at_the_deadline_runs_end_with_a_true_outcome(tmp_path: Path) -> None:
    options = {"WORKER_DRAIN_TIMEOUT_SECONDS": 0.5}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        run = platform.enqueue(one_job_plan(slow(10)), input={})
        await platform.until(lambda: "tick 1" in run.logs)
        family = descendants(worker.pid)
        assert await worker.end() == 3
        assert run.final
        assert run.state not in {"success", "fail"}
        assert run.names()[-2:] == ["step:complete", "run:complete"]
        await until(lambda: not any(alive(pid) for pid in family))


async def test_w32_a_second_signal_hurries(tmp_path: Path) -> None:
    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        run = platform.enqueue(one_job_plan(slow(10)), input={})
        await platform.until(lambda: "tick 1" in run.logs)
        assert worker.process is not None
        worker.process.send_signal(signal.SIGINT)
        await worker.until(lambda: "worker.draining" in worker.text())
        worker.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.process.wait, 20) == 3
        assert run.final


async def test_an_undelivered_run_is_said_by_the_exit_code_and_delivered_by_the_next_start(
    tmp_path: Path,
) -> None:
    options = {"WORKER_DRAIN_TIMEOUT_SECONDS": 1}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        run = platform.enqueue(one_job_plan(slow(0.5)), input={})
        await platform.until(lambda: "tick 1" in run.logs)
        await platform.stop()
        assert worker.process is not None
        worker.process.terminate()
        await worker.until(lambda: "worker.drain_deadline" in worker.text())
        worker.process.terminate()
        assert await asyncio.to_thread(worker.process.wait, 60) == 4
        await platform.start()
        worker.start()
        await platform.until(lambda: run.final)
        assert run.state == "success"
        assert await worker.end() == 0


async def test_a_wrong_secret_ends_a_worker_that_was_started_by_hand(tmp_path: Path) -> None:
    options = {"WORKER_SECRET": "wrong"}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        assert worker.process is not None
        assert await asyncio.to_thread(worker.process.wait, 20) == 2
        assert "secret is wrong" in worker.text()
        assert "Traceback" not in worker.text()


async def test_a_port_in_use_is_one_clear_message(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        options = {"WORKER_PORT": taken.getsockname()[1]}
        async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
            assert worker.process is not None
            assert await asyncio.to_thread(worker.process.wait, 20) == 2
            assert "health port" in worker.text()
            assert "Traceback" not in worker.text()


async def test_two_workers_do_not_share_a_folder(tmp_path: Path) -> None:
    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        await worker.ready()
        other = Worker(platform, tmp_path)
        other.log = tmp_path / "other.log"
        other.start()
        assert other.process is not None
        assert await asyncio.to_thread(other.process.wait, 20) == 2
        assert "another process" in other.text()
        run = platform.enqueue(one_job_plan(QUICK), input={})
        await platform.until(lambda: run.final)
