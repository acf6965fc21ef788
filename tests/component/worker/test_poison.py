"""Runs that cannot be delivered as they are keep no worker from serving the others."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from holdfast.protocol.tokens import sign_run_token
from holdfast.testing.platform import TwinPlatform, one_job_plan
from holdfast.testing.twin_run import TwinRun
from holdfast.worker.run_folders import RunFolders
from holdfast.worker.vault import Vault
from support.worker import QUICK, Worker

CAPACITY = 2
#: As many as once blocked every claim.
MANY = 4 * CAPACITY
TIME = {"timestamp": "1700000000000000"}
STEP_ID = "3f0e7c1e-0c0b-4b7e-9a55-8d2f0b6d7a11"
STEP: JsonObject = {"step_id": STEP_ID, "job_id": "j1", **TIME}
DEEP: Any = float("nan")
for _ in range(500):
    DEEP = [DEEP]
#: What an earlier version took from a run, record by record.
POISON: list[tuple[Kind, JsonObject]] = [
    (Kind.LOG, {**TIME, "source": "JOB", "level": "info", "message": DEEP}),
    (Kind.LOG, {**TIME, "source": ["JOB"], "level": {}, "message": 10**400, "step_id": 3}),
    (Kind.STEP_START, {**TIME, "job_id": ["j1"]}),
    (Kind.STEP_START, STEP),
    (Kind.STEP_COMPLETE, {**STEP, "reason": "success", "duration": float("inf"), "mem": [1],
                          "thread_id": float("nan"), "output": {"inline": 7}}),
    (Kind.RESULT, {**TIME, "reason": 1, "final_state": {"inline": [float("-inf")]}}),
]  # fmt: skip


def ended(data: Path, platform: TwinPlatform, run: TwinRun, records: list[Any]) -> None:
    """A run that an earlier worker has executed and not delivered."""
    journals, archive = data / "journals", data / "archive"
    now = int(time.time())
    run.state, run.token = "claimed", sign_run_token(
        platform.key, run.id, not_before=now, expires_at=now + 600
    )  # fmt: skip
    folders = RunFolders(journals, archive, Vault(data))
    found = folders.open(run.id, run.token, platform.url, "earlier")
    outcome: JsonObject = {
        **TIME, "reason": "success", "error_type": None, "error_message": None,
        "evidence": {"said_result": {"reason": float("nan")}},
    }  # fmt: skip
    folders.append(found.folder, *records, (Kind.OUTCOME, outcome))


async def test_poison_in_old_journals_becomes_notes(tmp_path: Path) -> None:
    async with TwinPlatform() as platform:
        old = [platform.enqueue(one_job_plan(QUICK), input={}) for _ in range(MANY)]
        for run in old:
            ended(tmp_path, platform, run, POISON)
        async with Worker(platform, tmp_path, WORKER_CAPACITY=CAPACITY) as worker:
            honest = platform.enqueue(one_job_plan(QUICK), input={})
            await platform.until(lambda: honest.final and all(run.final for run in old))
            assert {run.state for run in (honest, *old)} == {"success"}
            assert old[0].steps[STEP_ID].reason == "success"
            assert "run.interrupted" not in worker.text()
            assert "duration is no number" in worker.text()
            assert await worker.end() == 0


async def test_runs_that_wait_for_a_reason_of_their_own_block_no_claim(tmp_path: Path) -> None:
    async with TwinPlatform() as platform:
        for number in range(MANY):
            stranger = platform.enqueue(one_job_plan(QUICK), run_id=f"gone-{number}")
            ended(tmp_path, platform, stranger, [])
            del platform.runs[stranger.id]  # which refuses its channel from now on
        async with Worker(platform, tmp_path, WORKER_CAPACITY=CAPACITY) as worker:
            for _ in range(2):
                honest = platform.enqueue(one_job_plan(QUICK), input={})
                await platform.until(partial(getattr, honest, "final"))
                assert honest.state == "success"
            assert worker.text().count("run.adopted") == MANY
