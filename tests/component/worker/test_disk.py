"""Disks that forget, fill up, or can no longer be written to, under a real worker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.journal import JournalReader, Record, RunFolder
from holdfast.model.record import Kind
from holdfast.testing.platform import TwinPlatform, one_job_plan
from holdfast.testing.twin_run import TwinRun
from support.powercut import INTERPOSED, PowerCut
from support.waiting import until
from support.worker import QUICK, Worker, alive, slow

#: A job whose result is a document of its own in the journal.
LARGE = "export default [() => ({ data: { text: 'x'.repeat(50_000) } })];"
WHOLE = ["run:start", "step:start", "step:complete", "run:complete"]


def whole(run: TwinRun) -> None:
    """It ended once, executed once, and its events came in order."""
    names = run.names()
    assert run.final
    assert names.count("run:complete") == 1
    assert len(run.steps) <= 1
    first = list(dict.fromkeys(names))
    assert first == [name for name in WHOLE if name in first], names


#: Instants right behind a promise, or between a write and its sync. None: while runs go on.
CUTS = (
    None, "agent.journaled", "agent.prepared", "shim.launched", "journal.sync", "journal.blob",
    "shim.outcome", "shim.ended", "agent.accepted", "agent.archive",
)  # fmt: skip


@pytest.mark.parametrize("point", CUTS)
async def test_a_power_cut_keeps_every_promise(point: str | None, tmp_path: Path) -> None:
    """All that was not synced is dropped: each run we joined is there and ends truthfully."""

    data, power = tmp_path / "d", PowerCut(tmp_path / "synced")
    once, faults = tmp_path / "once", tmp_path / "faults.json"
    options = dict(power.options)
    if point is not None:
        fault = {"action": "kill", "once": str(once)}
        faults.write_text(json.dumps({"points": {point: fault}}))
        options["HOLDFAST_FAULTS"] = faults
    async with TwinPlatform() as platform:
        worker = Worker(platform, data, **options)
        worker.log = tmp_path / "worker.log"
        async with worker:
            await worker.ready()
            once.touch()
            long = platform.enqueue(one_job_plan(slow(2)), input={})
            runs = [platform.enqueue(one_job_plan(LARGE), input={}) for _ in range(3)]
            runs.append(long)
            if point is None:
                await platform.until(lambda: "tick 3" in long.logs)
            else:
                await worker.until(lambda: not once.exists())
            await everything_dies(worker)
            joined = [run for run in runs if run.joins]
            final = {run.id for run in runs if run.final}
            power.cut(data)
            for run in joined:
                assert run.id in final or claimed(data, run), "an acknowledged claim is gone"
            worker.environment = {
                key: value for key, value in worker.environment.items()
                if key not in {"HOLDFAST_FAULTS", *power.options}
            }  # fmt: skip
            platform.join_seconds = 1  # a claim that was not joined is given again
            worker.start()
            await platform.until(lambda: all(run.final for run in runs))
            for run in runs:
                whole(run)
                assert run.state in {"success", "exception"}
                assert run.state == "success" or run in joined
                if run.state == "success" and run is not long:
                    step = dict(run.events)["step:complete"]
                    assert len(step["output_dataclip"]) > 50_000, step
            await worker.until(lambda: not list((data / "journals").iterdir()))
            assert await worker.end() == 0


async def everything_dies(worker: Worker) -> None:
    family = worker.kill_everything()
    await until(lambda: not any(alive(pid) for pid in family))


def claimed(data: Path, run: TwinRun) -> bool:
    """Whether the run's journal is there, with its claim."""
    for folder in ("journals", "archive"):
        path = RunFolder(data / folder / run.id).journal
        if path.exists():
            with JournalReader(path) as reader:
                return [record.kind for record in reader.read()][:1] == [Kind.CLAIMED]
    return False


@pytest.mark.parametrize("point", ["journal.sync", "journal.write"])
async def test_a_disk_that_fails_for_a_while_loses_nothing_of_the_run(
    point: str, tmp_path: Path
) -> None:
    """Four errors in a row under a shim: the run is stopped, told whole, and ends once."""

    plan = tmp_path / "faults.json"
    armed = [tmp_path / f"armed{number}" for number in range(4)]
    faults = [{"action": "error", "errno": "EIO", "once": str(path)} for path in armed]
    struck = tmp_path / "struck"
    plan.write_text(json.dumps({"log": str(struck), "points": {point: faults}}))
    data = tmp_path / "d"
    options = {"HOLDFAST_FAULTS": plan}
    async with TwinPlatform() as platform, Worker(platform, data, **options) as worker:
        run = platform.enqueue(one_job_plan(slow(3)), input={})
        await platform.until(lambda: "tick 1" in run.logs)  # only its shim writes now
        for path in armed:
            path.touch()
        await platform.until(lambda: run.final)
        whole(run)
        assert run.outcome is not None
        assert run.outcome["reason"] == "exception"
        assert "Input/output error" in str(run.outcome["error_message"])
        assert len(struck.read_text().splitlines()) == 4
        await worker.until((data / "archive" / run.id).exists)
        records = archived(data, run)
        kinds = [record.kind for record in records]
        for kind in (Kind.LAUNCHED, Kind.RUN_START, Kind.STEP_START, Kind.OUTCOME):
            assert kinds.count(kind) == 1, kinds
        assert kinds.index(Kind.STEP_START) < kinds.index(Kind.OUTCOME)
        told = [line for line in run.logs if line.startswith("tick")]
        assert told == [f"tick {number}" for number in range(len(told))]
        assert kinds.count(Kind.NOTE) == 0, "nothing was refused"
        assert await worker.end() == 0


async def test_clock_jumps_do_no_harm(tmp_path: Path) -> None:
    """A day forward, two back, while runs go on: nothing is timed by the wall clock."""

    clock = tmp_path / "clock"
    options = {"PYTHONPATH": INTERPOSED, "HOLDFAST_TEST_CLOCK": clock}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        await worker.ready()
        runs = [platform.enqueue(one_job_plan(slow(3)), input={}) for _ in range(2)]
        before = len(platform.handshakes)
        for number, offset in enumerate((86_400, -86_400, 0), start=1):
            await platform.until(
                lambda n=number: all(f"tick {2 * n}" in run.logs for run in runs)  # type: ignore[misc]
            )
            write(clock, str(offset))
        await platform.until(lambda: all(run.final for run in runs))
        later = platform.enqueue(one_job_plan(QUICK), input={})
        await platform.until(lambda: later.final)
        for run in (*runs, later):
            whole(run)
            assert run.state == "success"
        assert len(platform.handshakes) == before, "nobody thought the other dead"
        await worker.until(lambda: not list((tmp_path / "journals").iterdir()))  # all archived
        times = [record.time_us for run in runs for record in archived(tmp_path, run)]
        assert max(times) - min(times) > 86_400 * 10**6, "the clock did jump"
        assert await worker.end() == 0


def write(path: Path, text: str) -> None:
    """Whole or not at all: others look at it all the time."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.rename(path)


def archived(data: Path, run: TwinRun) -> list[Record]:
    with JournalReader(data / "archive" / run.id / "journal") as reader:
        return list(reader.read())
