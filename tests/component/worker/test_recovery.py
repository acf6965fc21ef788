"""Kills at the worst moments: a run continues, is delivered, or is reported truthfully."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Coroutine
from pathlib import Path

import pytest

from holdfast.engine.client import EngineError, RunRequest, prepare_run, start_supervisor
from holdfast.faults import POINTS
from holdfast.journal import JournalReader, RunFolder, is_locked
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from holdfast.testing.platform import Do, TwinPlatform, one_job_plan
from holdfast.testing.twin_run import TwinRun
from support.waiting import until
from support.worker import QUICK, Worker, alive, descendants, slow

WHOLE = ["run:start", "step:start", "step:complete", "run:complete"]


def ticks(run: TwinRun) -> list[str]:
    """The job's own lines, each once (a line in flight at a kill may come twice)."""
    return list(dict.fromkeys(line for line in run.logs if line.startswith("tick")))


async def started(platform: TwinPlatform, run: TwinRun) -> None:
    await platform.until(lambda: "tick 1" in run.logs)


async def test_w25_the_agent_dies_and_its_successor_goes_on(tmp_path: Path) -> None:
    """The run does not notice: executed once, every line delivered, in order."""

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


async def test_w25_w26_power_loss_is_reported_as_what_it_is(tmp_path: Path) -> None:
    """Nothing of the old run lives on, and the platform learns the truth."""

    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        run = platform.enqueue(one_job_plan(slow(30)), input={})
        await started(platform, run)
        family = descendants(worker.pid)
        worker.kill_everything()
        await until(lambda: not any(alive(pid) for pid in family))
        worker.start()
        await platform.until(lambda: run.final)
        assert run.outcome is not None
        assert run.outcome["reason"] == "exception"
        assert run.names() == WHOLE
        kind = str(run.outcome["error_type"])
        assert "Restarted" in kind or "Lost" in kind
        assert len(run.steps) == 1
        again = platform.enqueue(one_job_plan(QUICK), input={})
        await platform.until(lambda: again.final)
        assert again.state == "success"
        assert await worker.end() == 0


async def test_the_supervisor_dies_and_a_new_worker_takes_over(tmp_path: Path) -> None:
    """Runs go on under their shims; the next worker finds them by their sockets."""

    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        run = platform.enqueue(one_job_plan(slow(2)), input={})
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


async def side_by_side(stories: list[Coroutine[None, None, None]]) -> None:
    """Three at a time: each has a worker of its own and mostly waits."""
    gate = asyncio.Semaphore(3)

    async def gated(story: Coroutine[None, None, None]) -> None:
        async with gate:
            await story

    await asyncio.gather(*(gated(story) for story in stories))


def deadly(folder: Path, point: str) -> dict[str, object]:
    """The option that kills one process once at this fault point."""
    (folder / "once").touch()
    fault = {"action": "kill", "once": str(folder / "once")}
    (folder / "faults.json").write_text(json.dumps({"points": {point: fault}}))
    return {"HOLDFAST_FAULTS": folder / "faults.json"}


async def test_the_agent_dies_at_every_point_of_a_run(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Each fault point once: the run is executed once and its outcome accepted once."""

    async def story(point: str) -> None:
        folder = tmp_path_factory.mktemp(point)  # short: a socket's path has 100 bytes or so
        options, data = deadly(folder, point), folder / "data"
        async with TwinPlatform() as platform, Worker(platform, data, **options) as worker:
            await worker.ready()
            run = platform.enqueue(one_job_plan(QUICK), input={})
            await platform.until(lambda: run.final)
            await worker.until(lambda: not list((data / "journals").iterdir()))
            assert not (folder / "once").exists(), f"{point} was never reached"
            assert run.state == "success", point
            assert list(dict.fromkeys(run.names())) == WHOLE, point
            assert len(run.steps) == 1, point
            assert run.names().count("run:complete") == 1, point
            (archived,) = (data / "archive").iterdir()
            assert archived.name == run.id
            assert not (archived / "token.salt").exists()
            with JournalReader(archived / "journal") as reader:
                kinds = [record.kind for record in reader.read()]
            assert kinds.count(Kind.LAUNCHED) == 1, point
            assert kinds.count(Kind.OUTCOME) == 1, point

    points = [point for point in POINTS if point.startswith("agent.") and point != "agent.claimed"]
    await side_by_side([story(point) for point in [*points, "journal.mark"]])


async def test_the_shim_dies_at_every_point_of_a_run(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Before any code has run: once more. After that: never again, and a true outcome."""

    async def story(point: str) -> None:
        folder = tmp_path_factory.mktemp(point)  # short: a socket's path has 100 bytes or so
        options, data = deadly(folder, point), folder / "data"
        async with TwinPlatform() as platform, Worker(platform, data, **options) as worker:
            run = platform.enqueue(one_job_plan(slow(0.2)), input={})
            await platform.until(lambda: run.final)
            assert not (folder / "once").exists(), f"{point} was never reached"
            assert len(run.steps) <= 1, point
            assert run.names().count("run:complete") == 1, point
            if point in {"shim.launched", "shim.forked"}:
                assert run.state == "success", point
                assert ticks(run) == [f"tick {n}" for n in range(10)], point
            await worker.until(lambda: not list((data / "journals").iterdir()))
            assert await worker.end() == 0

    points = [point for point in POINTS if point.startswith("shim.")]
    await side_by_side([story(point) for point in points])


async def test_w1_w2_a_claim_whose_answer_is_lost_costs_no_slot(tmp_path: Path) -> None:
    """The run it gave is the platform's to give again; the one slot goes on claiming."""

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


async def test_a_launch_that_is_heard_twice_executes_once(tmp_path: Path) -> None:
    """An agent may die between asking and hearing; its successor may ask again."""

    plan: JsonObject = {"workflow": {"steps": [{"id": "a", "expression": QUICK}]}}
    async with start_supervisor(tmp_path) as engine:
        folder = prepare_run(tmp_path / "journals", "r1", plan, {})
        request = RunRequest(folder.path, "r1", options={"run_id": "r1"})
        first = await engine.launch(request)
        assert (await first.outcome()).reason == "success"
        with pytest.raises(EngineError, match=r"launched or ended before|held by another"):
            await engine.launch(request)
        await until(lambda: not is_locked(folder.lock))  # the first shim has gone
        with pytest.raises(EngineError, match="launched or ended before"):
            await engine.launch(request)


async def test_w2_an_answer_that_comes_late_or_never_does_not_hold_the_slot(
    tmp_path: Path,
) -> None:
    """The one slot claims on after the time of a claim; what comes late is executed."""

    options = {"WORKER_CAPACITY": 1, "WORKER_CLAIM_TIMEOUT_SECONDS": 0.5}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        await worker.ready()
        platform.order("claim", Do.DELAY, seconds=1.5)
        late = platform.enqueue(one_job_plan(QUICK), input={})
        await platform.until(lambda: late.state == "claimed")
        platform.order("claim", Do.MUTE)
        await platform.until(lambda: not any(order.times for order in platform.orders))
        other = platform.enqueue(one_job_plan(QUICK), input={})
        await platform.until(lambda: late.final and other.final)
        assert (late.state, other.state) == ("success", "success")


@pytest.mark.parametrize("place", ["log", "blob"])
async def test_a_damaged_journal_is_reported_and_harms_no_other_run(
    place: str, tmp_path: Path
) -> None:
    """A run that ended while the platform was away, and whose disk then lost something."""

    job = "export default [() => ({ data: { text: 'x'.repeat(50_000) } })];"
    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        platform.join_seconds = 1  # a last claim of the dead worker may be under way
        run = platform.enqueue(one_job_plan(job), input={})
        order = platform.order("step:start", Do.MUTE, times=1000)
        folder = RunFolder(tmp_path / "journals" / run.id)
        await worker.until(lambda: folder.journal.exists() and kinds(folder)[-1:] == [30])
        worker.kill_everything()
        order.times = 0
        if place == "blob":
            for blob in (folder.path / "blobs").iterdir():
                blob.unlink()
        else:
            with JournalReader(folder.journal) as reader:
                last_log = [r for r in reader.read() if r.kind == Kind.LOG][-1]
            data = bytearray(folder.journal.read_bytes())
            data[last_log.end - 2] ^= 255
            folder.journal.write_bytes(data)
        worker.start()
        other = platform.enqueue(one_job_plan(QUICK), input={})
        await platform.until(lambda: run.final and other.final)
        assert other.state == "success"
        assert run.outcome is not None
        if place == "log":
            # the supervisor's or the agent's word, whoever comes first
            assert run.outcome["error_type"] in {"JournalDamaged", "ShimLost"}
            assert run.outcome["reason"] == "exception"
            archived = tmp_path / "archive" / run.id
            await worker.until(archived.exists)
            assert list(archived.glob("journal.cut-*")), "what was cut off is kept"
        else:
            assert run.state == "success"
            step = dict(run.events)["step:complete"]
            assert "output_dataclip_error" not in step, "it was not too large"


def kinds(folder: RunFolder) -> list[int]:
    with JournalReader(folder.journal) as reader:
        return [record.kind for record in reader.read()]
