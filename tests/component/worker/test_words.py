"""What people read is worded as the reference words it; questions that may be asked again are."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from holdfast.testing.platform import Do, TwinPlatform, one_job_plan
from support.worker import QUICK, Worker

SILENT = "3f0e7c1e-0c0b-4b7e-9a55-8d2f0b6d7a11"


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
        silent = platform.enqueue(plan_with_credential(SILENT), input={})
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
            f"Failed to load credential {SILENT}: [fetch:credential] timeout",
            None,
            'Failed to load the plan of the run: [fetch:plan] {"reason":null}',
        ]
        assert early.state == "success"
        assert "run.plan_not_ready" in worker.text()


async def test_an_input_that_the_platform_has_wiped_fails_the_run_loudly(tmp_path: Path) -> None:
    async with TwinPlatform() as platform, Worker(platform, tmp_path):
        plan = one_job_plan(QUICK, output_dataclips=False)
        run = platform.enqueue(plan, input={"data": {"once": 1}})
        platform.order("fetch:dataclip", Do.CRASH_AFTER, run=run.id)
        await platform.until(lambda: run.final)
        assert run.outcome is not None
        assert (run.state, run.outcome["error_type"]) == ("exception", "DataClipError")
        assert "has wiped the input" in str(run.outcome["error_message"])
        assert not run.steps


async def test_credentials_that_are_refused_for_a_while_and_that_crash(tmp_path: Path) -> None:
    late = str(uuid4())
    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        passing = platform.enqueue(
            plan_with_credential(late), input={}, credentials={late: {"key": "value"}}
        )
        platform.order(
            "fetch:credential", Do.REFUSE, response="OAuth: try again", run=passing.id, times=2
        )
        crashing = platform.enqueue(plan_with_credential("no-uuid"), input={})
        await platform.until(lambda: passing.final and crashing.final)
        assert passing.state == "success"
        assert crashing.outcome is not None
        assert crashing.outcome["error_type"] == "CredentialLoadError"
        assert "no-uuid: [fetch:credential] the channel crashed" in str(crashing.outcome)
        assert worker.text().count("channel.lost") <= 2


async def test_a_platform_that_wants_outputs_as_text_gets_them_so(tmp_path: Path) -> None:
    options = {"WORKER_NO_STRINGIFY_STATE": "true", "WORKER_CAPACITY": 1}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        runs = [platform.enqueue(one_job_plan(QUICK), input={}) for _ in range(2)]
        await platform.until(lambda: all(run.final for run in runs))
        for run in runs:
            (step,) = run.steps.values()
            assert step.output in run.clips
        assert [len(run.refused) for run in runs] == [1, 0], "it is remembered"
        assert worker.text().count("delivery.json_not_known") == 1
        assert "delivery.incomplete" not in worker.text()


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
