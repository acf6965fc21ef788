"""`holdfast worker --check` before a start, and capacity by memory after it."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import httpx

from holdfast.cli.check import memory_limit
from holdfast.engine.doctor import Check
from holdfast.testing.platform import TwinPlatform, one_job_plan
from support import command
from support.worker import QUICK, Worker, slow


def checked(
    platform: TwinPlatform, data: Path, **changes: str
) -> subprocess.CompletedProcess[str]:
    environment = {
        "WORKER_LIGHTNING_SERVICE_URL": platform.url, "WORKER_SECRET": platform.secret,
        "HOLDFAST_DATA": str(data), **changes,
    }  # fmt: skip
    return command.run("worker", "--check", env=environment)


async def test_a_worker_is_checked_without_being_started(tmp_path: Path) -> None:
    async with TwinPlatform() as platform:
        good = await asyncio.to_thread(checked, platform, tmp_path, WORKER_CAPACITY="2")
        assert good.returncode == 0, good.stdout + good.stderr
        for words in ("2 slots x (500 + 128) MB + 300 MB = 1556 MB", "took the secret",
                      "egress", "grace period", "isolation", "disk"):  # fmt: skip
            assert words in good.stdout, words
        assert not platform.claims
        wrong = await asyncio.to_thread(
            checked, platform, tmp_path, WORKER_SECRET="no", WORKER_CAPACITY="100000",
            WORKER_LIGHTNING_PUBLIC_KEY="AAAA",
        )  # fmt: skip
        assert wrong.returncode == 2
        for words in ("HTTP 401", "--memory-budget", "public key"):
            assert words in wrong.stdout, wrong.stdout
    gone = await asyncio.to_thread(checked, platform, tmp_path)
    assert gone.returncode == 2
    assert "connection" in gone.stdout


def test_a_limit_by_sampling_is_told_and_is_no_failure() -> None:
    sampled = memory_limit(Check("memory limit", False, "by sampling (why)", "mend it"))
    assert (sampled.good, sampled.fix) == (True, None)
    assert "sampling" in sampled.text
    by_kernel = Check("memory limit", True, "enforced by the kernel (cgroup-v2)")
    assert memory_limit(by_kernel) == by_kernel


async def test_a_run_waits_until_its_limit_fits_and_says_so(tmp_path: Path) -> None:
    options = {"WORKER_MEMORY_BUDGET": "600mb", "WORKER_MAX_RUN_MEMORY_MB": 150}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        url = await worker.ready()
        first = platform.enqueue(one_job_plan(slow(6)), input={})
        await platform.until(lambda: "tick 1" in first.logs)
        large = platform.enqueue(one_job_plan(QUICK, run_memory_limit_mb=300), input={})
        await platform.until(lambda: large.state == "claimed")

        async with httpx.AsyncClient(base_url=url, trust_env=False) as web:
            why: Any = None
            while why != "428 MB of memory (322 MB free)":
                assert not first.final, f"it must wait while the first one runs: {why}"
                runs = (await web.get("/status")).json()["runs"]
                why = next((run["why"] for run in runs if run["id"] == large.id), None)
        whole = platform.enqueue(one_job_plan(QUICK, run_memory_limit_mb=9000), input={})
        await platform.until(lambda: first.final and large.final and whole.final)
        assert (first.state, large.state) == ("success", "success")
        assert whole.outcome is not None
        assert whole.outcome["error_type"] == "MemoryBudgetError"
