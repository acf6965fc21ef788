"""The platform's half, with real processes: a worker that never comes back, or comes back late.

Leases are shortened here; `benchmarks.journal.loss` measures them at their defaults.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from holdfast.adaptors import Store
from support.one_job import TRIGGER, Address, project
from support.platform import Served
from support.waiting import until
from support.worker import Worker, alive, slow

LEASES = {"janitor_seconds": 0.2, "silence_seconds": 2.0, "join_deadline_seconds": 2.0}


async def state(served: Served, run_id: str, wanted: str) -> None:
    await until(lambda: served.run(run_id)["state"] == wanted)


async def test_a_worker_that_died_is_noticed_and_its_late_true_outcome_is_taken(
    tmp_path: Path, adaptor_store: Store
) -> None:
    """Gone without a word: the run is given up, with reasons. Its journal comes back later."""

    async def story(served: Served) -> None:
        options = {"WORKER_REPO_DIR": adaptor_store.root}
        async with Worker(Address.of(served), tmp_path / "w", **options) as worker:
            run_id = served.post({}, TRIGGER)
            await until(lambda: "tick 1" in served.logs(run_id))
            worker.kill_everything()
            await until(lambda: not list(served.platform.workers))
            await state(served, run_id, "lost")
            found = served.run(run_id)
            assert found["error_type"] == "LostAfterStart"
            assert "(no news)" in found["error_message"]
            worker.start()
            await state(served, run_id, "exception")  # interrupted: what really happened
            found = served.run(run_id)
            assert found["error_type"] != "LostAfterStart"
            assert any("lost" in json.dumps(note) for note in found["notes"])
            assert len(served.steps(run_id)) == 1
            assert await worker.end() == 0

    with Served(tmp_path / "platform", **LEASES) as served:
        served.deploy(project(slow(60)))
        await story(served)


async def test_a_run_that_somebody_cancels_ends_and_tells_what_it_did(
    tmp_path: Path, adaptor_store: Store
) -> None:
    async def story(served: Served) -> None:
        options = {"WORKER_REPO_DIR": adaptor_store.root}
        async with Worker(Address.of(served), tmp_path / "w", **options) as worker:
            run_id = served.post({}, TRIGGER)
            await until(lambda: "tick 1" in served.logs(run_id))
            assert served.client.post(f"/api/runs/{run_id}/cancel").status_code == 202
            await state(served, run_id, "cancelled")
            found = served.run(run_id)
            assert found["error_type"] == "Cancelled"
            assert "cancelled the run" in found["error_message"]
            assert served.steps(run_id)[0]["exit_reason"] == "cancel"
            assert await worker.end() == 0

    with Served(tmp_path / "platform", **LEASES) as served:
        served.deploy(project(slow(60)))
        await story(served)


async def test_a_state_nested_too_deeply_costs_the_state_and_nothing_else(
    tmp_path: Path, adaptor_store: Store
) -> None:
    """The platform refuses what it cannot read, and does not take the connection for broken."""
    deep = (
        "fn(() => { let x = []; for (let i = 0; i < 2000; i++) x = [x];"
        " return { data: 1, x, webhookResponse: { body: x } }; });"
    )

    async def story(served: Served) -> None:
        options = {"WORKER_REPO_DIR": adaptor_store.root}
        async with Worker(Address.of(served), tmp_path / "w", **options) as worker:
            run_id = served.post({}, TRIGGER)
            await state(served, run_id, "success")
            (step,) = served.steps(run_id)
            assert step["exit_reason"] == "success"
            assert "connection.down" not in worker.text()
            assert await worker.end() == 0

    with Served(tmp_path / "platform") as served:
        served.deploy(project(deep))
        await story(served)


async def test_a_claim_that_is_never_joined_goes_to_another_worker(
    tmp_path: Path, adaptor_store: Store
) -> None:
    """The first worker is frozen behind its claim. It wakes up too late: its token is void."""

    async def story(served: Served) -> None:
        once, plan = tmp_path / "once", tmp_path / "faults.json"
        once.touch()
        fault = {"action": "stop", "once": str(once)}
        plan.write_text(json.dumps({"points": {"agent.journaled": fault}}))
        shared = {"WORKER_REPO_DIR": adaptor_store.root}
        frozen = Worker(Address.of(served), tmp_path / "a", HOLDFAST_FAULTS=plan, **shared)
        other = Worker(Address.of(served), tmp_path / "b", **shared)
        async with frozen:
            await frozen.ready()
            run_id = served.post({}, TRIGGER)
            await until(lambda: not once.exists())
            assert served.run(run_id)["state"] == "claimed"
            await state(served, run_id, "available")
            assert served.run(run_id)["returns"] == 1
            async with other:
                await state(served, run_id, "success")
                for pid in frozen.agents():
                    os.kill(pid, signal.SIGCONT)
                await frozen.until(lambda: f"run.not_ours run={run_id}" in frozen.text())
                journals = tmp_path / "a" / "journals"
                await frozen.until(lambda: not list(journals.iterdir()))
                assert len(served.steps(run_id)) == 1
                assert served.run(run_id)["state"] == "success"
                assert "run.launched" not in frozen.text()
                assert await other.end() == 0
            assert await frozen.end() == 0
            assert not alive(frozen.pid)

    with Served(tmp_path / "platform", **LEASES) as served:
        served.deploy(project(slow(0.5)))
        await story(served)
