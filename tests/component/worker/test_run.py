"""The real worker, real engine, and a twin of Lightning: runs from claim to acceptance."""

from __future__ import annotations

from pathlib import Path

from holdfast.testing.platform import TwinPlatform, one_job_plan
from support.worker import QUICK, Worker


async def test_a_run_from_its_claim_to_its_acceptance(tmp_path: Path) -> None:
    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        run = platform.enqueue(one_job_plan(QUICK), input={"data": {"x": 1}})
        await platform.until(lambda: run.final)
        assert run.state == "success"
        assert run.names() == ["run:start", "step:start", "step:complete", "run:complete"]
        assert run.refused == []
        assert run.outcome is not None
        assert run.outcome["final_state"] == {"data": {"n": 1}}
        step = dict(run.events)["step:complete"]
        assert step["output_dataclip"] == '{"data":{"n":1}}'
        assert run.outcome["final_dataclip_id"] == step["output_dataclip_id"]
        assert await worker.end() == 0
