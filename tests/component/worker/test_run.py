"""The real worker, real engine, and a twin of Lightning: runs from claim to acceptance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from holdfast.model.json import Json, JsonObject
from holdfast.testing.platform import Do, TwinPlatform, one_job_plan
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
        assert not {"spans", "postmortem"} & run.outcome.keys(), "Lightning offers to take none"
        step = dict(run.events)["step:complete"]
        assert step["output_dataclip"] == '{"data":{"n":1}}'
        assert run.outcome["final_dataclip_id"] == step["output_dataclip_id"]
        assert await worker.end() == 0


async def test_a_run_that_is_given_again_while_it_is_put_away_is_executed_again(
    tmp_path: Path,
) -> None:
    async with (
        TwinPlatform() as platform,
        Worker(platform, tmp_path, WORKER_MESSAGE_TIMEOUT_SECONDS=3) as worker,
    ):
        stuck = platform.order("fetch:plan", Do.MUTE, run="busy")
        # To put a run away waits for this one, which is on its way to its first step.
        busy = platform.enqueue(one_job_plan(QUICK), input={}, run_id="busy")
        await platform.until(lambda: stuck.times == 0)
        first = platform.enqueue(one_job_plan(QUICK), input={}, run_id="twice")
        await platform.until(lambda: first.final)
        second = platform.enqueue(one_job_plan(QUICK), input={}, run_id="twice")
        await platform.until(lambda: second.claims)
        assert f"run.done run={second.id}" not in worker.text()
        await platform.until(lambda: second.final and busy.final)
        assert second.names() == ["run:start", "step:start", "step:complete", "run:complete"]


async def test_adaptors_that_the_reference_installed_are_used_without_a_network(
    tmp_path: Path,
) -> None:
    repository = tmp_path / "repo"
    folder = repository / "node_modules" / "@openfn" / "answers_1.0.0"
    shared = repository / "node_modules" / "shared"
    for place, manifest, code in (
        (folder, {"name": "@openfn/answers", "version": "1.0.0", "type": "module"},
         "import { n } from 'shared'; export const answer = () => () => ({ data: { n } });"),
        (shared, {"name": "shared", "version": "2.0.0", "type": "module"}, "export const n = 42;"),
    ):  # fmt: skip
        place.mkdir(parents=True)
        (place / "package.json").write_text(json.dumps({**manifest, "main": "index.js"}))
        (place / "index.js").write_text(code)
    listed = {"@openfn/answers_1.0.0": "npm:@openfn/answers@1.0.0"}
    (repository / "package.json").write_text(json.dumps({"dependencies": listed}))
    plan = one_job_plan("answer()", adaptor="@openfn/answers@1.0.0")
    options = {"WORKER_REPO_DIR": repository, "npm_config_registry": "http://127.0.0.1:1"}
    async with (
        TwinPlatform() as platform,
        Worker(platform, tmp_path / "data", WORKER_EGRESS="lan", **options),
    ):
        run = platform.enqueue(plan, input={"data": {}})
        await platform.until(lambda: run.final)
        assert run.outcome is not None
        assert run.outcome.get("final_state") == {"data": {"n": 42}}, run.outcome


REALM = "const all = state.constructor.constructor('return globalThis')();"
MARKING = f"export default [state => {{ {REALM} all.mark = 1; return {{ data: {{}} }}; }}];"
LOOKING = f"export default [state => {{ {REALM} return {{ data: {{ mark: all.mark ?? 0 }} }}; }}];"


@pytest.mark.parametrize("asked_by", ["nobody", "worker", "plan"])
async def test_each_step_may_have_a_process_of_its_own(tmp_path: Path, asked_by: str) -> None:
    """The first step leaves a mark in the realm that adaptors live in."""
    plan = one_job_plan(MARKING, process_per_step=asked_by == "plan")
    second: JsonObject = {"id": "j2", "name": "Second", "adaptor": None, "body": LOOKING}
    edge = {"id": "e2", "source_job_id": "j1", "target_job_id": "j2", "condition": "always"}
    cast("list[Json]", plan["jobs"]).append(second)
    cast("list[Json]", plan["edges"]).append({**edge, "enabled": True})
    options = {"WORKER_PROCESS_PER_STEP": "true"} if asked_by == "worker" else {}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options):
        run = platform.enqueue(plan, input={"data": {}})
        await platform.until(lambda: run.final)
        assert run.outcome is not None
        marked = 1 if asked_by == "nobody" else 0
        assert run.outcome["final_state"] == {"data": {"mark": marked}}, run.outcome
