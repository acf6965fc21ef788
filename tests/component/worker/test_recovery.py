"""Kills at the worst moments: a run continues, is delivered, or is reported truthfully."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from fixtures.worker import QUICK, Worker, alive, descendants, slow
from holdfast.engine.client import EngineError, RunRequest, prepare_run, start_supervisor
from holdfast.journal import JournalReader
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from holdfast.testing.platform import Do, TwinPlatform, TwinRun, one_job_plan

WHOLE = ["run:start", "step:start", "step:complete", "run:complete"]


def ticks(run: TwinRun) -> list[str]:
    """The job's own lines, each once (a line in flight at a kill may come twice)."""
    return list(dict.fromkeys(line for line in run.logs if line.startswith("tick")))


async def started(platform: TwinPlatform, run: TwinRun) -> None:
    await platform.until(lambda: "tick 1" in run.logs)


def test_w25_the_agent_dies_and_its_successor_goes_on(tmp_path: Path) -> None:
    """The run does not notice: executed once, every line delivered, in order."""

    async def story() -> None:
        async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
            runs = [platform.enqueue(one_job_plan(slow(2)), input={}) for _ in range(3)]
            for run in runs:
                await started(platform, run)
            worker.kill_agent()
            await platform.until(lambda: all(run.final for run in runs))
            for run in runs:
                assert run.state == "success"
                assert list(dict.fromkeys(run.names())) == WHOLE
                assert ticks(run) == [f"tick {n}" for n in range(10)]
                assert len(run.steps) == 1
            assert await worker.end() == 0

    asyncio.run(story())


def test_w25_w26_power_loss_is_reported_as_what_it_is(tmp_path: Path) -> None:
    """Nothing of the old run lives on, and the platform learns the truth."""

    async def story() -> None:
        async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
            run = platform.enqueue(one_job_plan(slow(30)), input={})
            await started(platform, run)
            family = descendants(worker.pid)
            worker.kill_everything()
            assert not any(alive(pid) for pid in family)
            worker.start()
            await platform.until(lambda: run.final)
            assert run.outcome is not None
            assert run.outcome["reason"] == "exception"
            assert run.names() == WHOLE
            assert "Restarted" in run.outcome["error_type"] or "Lost" in run.outcome["error_type"]
            assert len(run.steps) == 1
            again = platform.enqueue(one_job_plan(QUICK), input={})
            await platform.until(lambda: again.final)
            assert again.state == "success"
            assert await worker.end() == 0

    asyncio.run(story())


def test_the_supervisor_dies_and_a_new_worker_takes_over(tmp_path: Path) -> None:
    """Runs go on under their shims; the next worker finds them by their sockets."""

    async def story() -> None:
        async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
            run = platform.enqueue(one_job_plan(slow(3)), input={})
            await started(platform, run)
            family = descendants(worker.pid)
            os.kill(worker.pid, signal.SIGKILL)
            assert worker.process is not None
            worker.process.wait()
            worker.start()
            await platform.until(lambda: run.final)
            assert run.state == "success"
            assert list(dict.fromkeys(run.names())) == WHOLE
            assert ticks(run) == [f"tick {n}" for n in range(10)]
            assert await worker.end() == 0
            await worker.until(lambda: not any(alive(pid) for pid in family))

    asyncio.run(story())


@pytest.mark.parametrize(
    "point",
    ["agent.journaled", "agent.joined", "agent.prepared", "agent.launched", "agent.send",
     "agent.accepted", "agent.complete", "agent.archive", "journal.mark"],
)  # fmt: skip
def test_the_agent_dies_at_every_point_of_a_run(point: str, tmp_path: Path) -> None:
    """Each fault point once: the run is executed once and its outcome accepted once."""

    async def story() -> None:
        token = tmp_path / "once"
        token.touch()
        plan = tmp_path / "faults.json"
        fault = {"action": "kill", "once": str(token)}
        plan.write_text(json.dumps({"points": {point: fault}, "log": str(tmp_path / "struck")}))
        options = {"HOLDFAST_FAULTS": plan}
        data = tmp_path / "data"
        async with TwinPlatform() as platform, Worker(platform, data, **options) as worker:
            await worker.ready()
            run = platform.enqueue(one_job_plan(QUICK), input={})
            await platform.until(lambda: run.final)
            await worker.until(lambda: not list((data / "journals").iterdir()))
            assert (tmp_path / "struck").exists(), "the fault point was never reached"
            assert run.state == "success"
            assert list(dict.fromkeys(run.names())) == WHOLE
            assert len(run.steps) == 1
            assert run.names().count("run:complete") == 1
            archived = list((data / "archive").iterdir())
            assert [path.name for path in archived] == [run.id]
            assert not (archived[0] / "token.salt").exists()
            with JournalReader(archived[0] / "journal") as reader:
                kinds = [record.kind for record in reader.read()]
            assert kinds.count(Kind.LAUNCHED) == 1
            assert kinds.count(Kind.OUTCOME) == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    ("point", "survives"),
    [("shim.launched", True), ("shim.forked", True), ("shim.record", False),
     ("shim.outcome", False), ("shim.ended", False)],
)  # fmt: skip
def test_the_shim_dies_at_every_point_of_a_run(point: str, survives: bool, tmp_path: Path) -> None:
    """Before any code has run: once more. After that: never again, and a true outcome."""

    async def story() -> None:
        token = tmp_path / "once"
        token.touch()
        plan = tmp_path / "faults.json"
        fault = {"action": "kill", "once": str(token)}
        plan.write_text(json.dumps({"points": {point: fault}}))
        options = {"HOLDFAST_FAULTS": plan}
        data = tmp_path / "data"
        async with TwinPlatform() as platform, Worker(platform, data, **options) as worker:
            run = platform.enqueue(one_job_plan(slow(0.2)), input={})
            await platform.until(lambda: run.final)
            assert not token.exists(), "the fault point was never reached"
            assert len(run.steps) <= 1
            assert run.names().count("run:complete") == 1
            if survives:
                assert run.state == "success"
                assert ticks(run) == [f"tick {n}" for n in range(10)]
            await worker.until(lambda: not list((data / "journals").iterdir()))
            assert await worker.end() == 0

    asyncio.run(story())


def test_w1_w2_a_claim_whose_answer_is_lost_costs_no_slot(tmp_path: Path) -> None:
    """The run it gave is the platform's to give again; the one slot goes on claiming."""

    async def story() -> None:
        options = {"WORKER_CAPACITY": 1}
        async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
            await worker.ready()
            platform.order("claim", Do.CUT_AFTER)
            lost = platform.enqueue(one_job_plan(QUICK), input={})
            await platform.until(lambda: lost.state == "claimed")
            other = platform.enqueue(one_job_plan(QUICK), input={})
            await platform.until(lambda: other.final)
            assert lost.joins == 0
            lost.state = "available"  # what a platform with a join deadline does
            await platform.until(lambda: lost.final)
            assert lost.state == "success"

    asyncio.run(story())


def test_a_launch_that_is_heard_twice_executes_once(tmp_path: Path) -> None:
    """An agent may die between asking and hearing; its successor may ask again."""

    async def story() -> None:
        plan: JsonObject = {"workflow": {"steps": [{"id": "a", "expression": QUICK}]}}
        async with start_supervisor(tmp_path) as engine:
            folder = prepare_run(tmp_path / "journals", "r1", plan, {})
            request = RunRequest(folder.path, "r1", options={"run_id": "r1"})
            first = await engine.launch(request)
            assert (await first.outcome()).reason == "success"
            with pytest.raises(EngineError, match="launched before"):
                await engine.launch(request)

    asyncio.run(story())
