"""A job has the memory that it had under the reference."""

from __future__ import annotations

import json
from pathlib import Path

from holdfast.testing.platform import TwinPlatform, one_job_plan
from support.worker import Worker, slow


def filled(megabytes: int) -> str:
    """A job that holds so much in JavaScript numbers, and ends well."""
    return (
        "export default [(state) => { const rows = []; "
        f"for (let i = 0; i < {megabytes}; i++) rows.push(new Array(131072).fill(i + 0.5)); "
        "return { data: { rows: rows.length } }; }];"
    )


async def test_the_limit_is_the_heap_of_a_job_and_the_plan_may_set_it(tmp_path: Path) -> None:
    options = {"WORKER_MAX_RUN_MEMORY_MB": 100}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        fits = platform.enqueue(one_job_plan(filled(80)), input={})
        bursts = platform.enqueue(one_job_plan(filled(160)), input={})
        plan = one_job_plan(filled(160))
        plan["options"] = {"run_memory_limit_mb": 200}
        wider = platform.enqueue(plan, input={})
        await platform.until(lambda: fits.final and bursts.final and wider.final)
        assert fits.state == "success", fits.outcome
        assert wider.state == "success", wider.outcome
        assert bursts.outcome is not None
        assert bursts.outcome["error_type"] == "OOMError"
        message = str(bursts.outcome["error_message"])
        assert message.startswith("Run exceeded maximum memory usage")
        assert "limit 100 MB" in message
        assert "Memory limit: 100mb" in fits.logs
        assert await worker.end() == 0


async def test_a_timeout_of_nothing_in_a_plan_is_no_limit(tmp_path: Path) -> None:
    options = {"WORKER_MAX_RUN_DURATION_SECONDS": 1}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        plan = one_job_plan(slow(2))
        limited = platform.enqueue({**plan, "options": {}}, input={})
        endless = platform.enqueue({**plan, "options": {"run_timeout_ms": 0}}, input={})
        await platform.until(lambda: limited.final and endless.final)
        assert (limited.state, endless.state) == ("kill", "success")
        assert "Timeout: 1s" in limited.logs
        assert not any(text.startswith("Timeout") for text in endless.logs)
        assert "worker.grace_period seconds=61" in worker.text()


async def test_a_plan_may_set_the_largest_state(tmp_path: Path) -> None:
    async with TwinPlatform() as platform, Worker(platform, tmp_path):
        plan = one_job_plan("export default [() => ({ data: 'x'.repeat(3 << 20) })];")
        plan["options"] = {"state_limit_mb": 2}
        run = platform.enqueue(plan, input={})
        await platform.until(lambda: run.final)
        assert run.outcome is not None
        assert run.outcome["error_type"] == "StateTooLargeError", json.dumps(run.outcome)
