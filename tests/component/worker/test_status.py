"""What a worker says about itself: /readyz, /metrics, /status, `holdfast status`, its log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from holdfast.testing.platform import Do, TwinPlatform, one_job_plan
from support import command
from support.streams import closed_gate
from support.worker import QUICK, Worker


def figures(text: str) -> dict[str, float]:
    """Name and labels of each sample, and its value; every family has its help and type."""
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.type != "unknown" for family in families)
    return {
        sample.name + "".join(f" {label}" for label in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


async def test_figures_and_status_while_a_run_is_under_way_and_while_its_end_waits(
    tmp_path: Path,
) -> None:
    options = {"WORKER_WORKLOOPS": "fast_lane:1 manual>*:2", "WORKER_LOG_FORMAT": "json"}
    async with (
        closed_gate() as gate,
        TwinPlatform() as platform,
        Worker(platform, tmp_path, **options) as worker,
    ):
        port = await json_port(worker)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as web:

            async def status() -> dict[str, Any]:
                answer: dict[str, Any] = (await web.get("/status")).json()
                return answer

            quick = platform.enqueue(one_job_plan(QUICK), input={})
            await platform.until(lambda: quick.final)
            stuck = platform.order("run:complete", Do.MUTE, times=1000)
            held = platform.enqueue(one_job_plan(gate.job), input={})
            deadline = asyncio.get_running_loop().time() + 30
            used = 0  # by the run while it lives, MB
            while not (found := await status())["oldest_undelivered_seconds"]:
                used = max([used, *(run["memory_mb"] for run in found["runs"])])
                if used > 10:  # an empty Node.js takes more
                    gate.opened.set()
                assert asyncio.get_running_loop().time() < deadline
                await asyncio.sleep(0.02)
            (run,) = found["runs"]
            assert (run["id"], run["stage"]) == (held.id, "delivering")
            assert found["undelivered"] == 1
            assert {tuple(loop["queues"]): loop["runs"] for loop in found["workloops"]}
            await worker.until(standing_by(web))
            now = figures((await web.get("/metrics")).text)
            assert now["holdfast_worker_oldest_undelivered_seconds"] > 0
            assert now["holdfast_worker_runs delivering"] == 1
            assert now["holdfast_worker_runs_total complete"] == 1
            assert now["holdfast_worker_outcomes_total success"] == 1
            assert now["holdfast_worker_phase_seconds_count running"] == 2
            brought = [now.get(f"holdfast_worker_claims_total {loop} run", 0)
                       for loop in ("fast_lane", "manual>*")]  # fmt: skip
            assert sum(brought) == 2
            assert now["holdfast_worker_connected"] == now["holdfast_worker_ready"] == 1
            shown = await asyncio.to_thread(command.run, "status", "--port", str(port))
            assert shown.returncode == 0, shown.stderr
            assert held.id in shown.stdout
            assert "manual>*" in shown.stdout
            stuck.times = 0
        lines = [json.loads(line) for line in worker.text().splitlines()]
        assert {"time", "level", "event"} <= lines[0].keys()
        assert any(line.get("run") == quick.id for line in lines)


def standing_by(web: httpx.AsyncClient) -> Callable[[], Awaitable[bool]]:
    """Whether a process waits for a run, as the figures say it."""

    async def probe() -> bool:
        now = figures((await web.get("/metrics")).text)
        return now["holdfast_worker_standby_memory_bytes"] > 10_000_000

    return probe


async def json_port(worker: Worker) -> int:
    await worker.until(lambda: '"worker.started"' in worker.text())
    lines = [json.loads(line) for line in worker.text().splitlines()]
    return int(next(line["port"] for line in lines if line["event"] == "worker.started"))


def test_no_worker_and_nonsense_are_told() -> None:
    dead = command.run("status", "--url", "http://127.0.0.1:9")
    assert (dead.returncode, dead.stdout) == (2, "")
    assert "No worker answers at http://127.0.0.1:9" in dead.stderr
