"""What people read is worded as the reference words it; questions that may be asked again are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from holdfast.testing.platform import Do, TwinPlatform, one_job_plan
from support.worker import QUICK, Worker


def plan_with_credential(name: str) -> Any:
    plan: Any = one_job_plan(QUICK)
    plan["jobs"][0]["credential_id"] = name
    return plan


async def test_refusals_and_timeouts_of_what_a_run_needs(tmp_path: Path) -> None:
    options = {"WORKER_MESSAGE_TIMEOUT_SECONDS": 1}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        missing = {"errors": {"id": ["Credential not found!"]}}
        unknown = platform.enqueue(plan_with_credential("zzz"), input={})
        platform.order("fetch:credential", Do.REFUSE, response=missing, run=unknown.id)
        silent = platform.enqueue(plan_with_credential("yyy"), input={})
        platform.order("fetch:credential", Do.MUTE, times=9, run=silent.id)
        early = platform.enqueue(one_job_plan(QUICK), input={})
        platform.order(
            "fetch:plan", Do.REFUSE, response={"reason": "adaptor_not_ready"}, run=early.id
        )
        spoilt = platform.enqueue(one_job_plan(QUICK), input={})
        platform.order("fetch:plan", Do.REFUSE, response={"reason": None}, run=spoilt.id)
        runs = (unknown, silent, early, spoilt)
        await platform.until(lambda: all(run.final for run in runs))
        messages = [run.outcome["error_message"] for run in runs if run.outcome]
        not_found = '[fetch:credential] {"errors":{"id":["Credential not found!"]}}'
        assert messages == [
            f"Failed to load credential zzz: {not_found}",
            "Failed to load credential yyy: [fetch:credential] timeout",
            None,
            'Failed to load the plan of the run: [fetch:plan] {"reason":null}',
        ]
        assert early.state == "success"
        assert "run.plan_not_ready" in worker.text()


async def test_a_job_knows_where_it_belongs(tmp_path: Path) -> None:
    code = "export default [() => ({ data: { ...meta, startTime: meta.startTime > 1e12 } })];"
    async with TwinPlatform() as platform, Worker(platform, tmp_path):
        plan: Any = one_job_plan(code)
        plan["meta"] = {"work_order_id": "w", "workflow_id": "f", "project_id": "p", "x": 1}
        told = platform.enqueue(plan, input={})
        older = platform.enqueue(one_job_plan(code), input={})
        await platform.until(lambda: told.final and older.final)
        found: list[Any] = [run.outcome and run.outcome["final_state"] for run in (told, older)]
        assert found[0]["data"] == {
            "runId": told.id, "startTime": True,
            "workOrderId": "w", "workflowId": "f", "projectId": "p",
        }  # fmt: skip
        assert found[1]["data"].keys() >= {"runId", "startTime"}
