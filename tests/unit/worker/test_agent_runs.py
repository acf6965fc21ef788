"""What an agent keeps of a run whose life has to begin anew."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from holdfast.engine.client import Engine
from holdfast.journal import DeliveryState
from holdfast.protocol.messages import ClaimedRun
from holdfast.worker.agent import agent as module
from holdfast.worker.agent.agent import Agent
from holdfast.worker.config import WorkerConfig
from holdfast.worker.run.run import Run, Stage
from holdfast.worker.run_folders import RunFolders
from holdfast.worker.vault import Vault

RUN = "2b0a6e0d-0c5c-4a53-9c6f-5d0c6e1b5f2b"


async def test_a_claim_that_came_while_putting_away_failed_is_taken_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails at the first attempt; the platform has given the same run out again."""
    config = WorkerConfig.from_environment(
        {"WORKER_SECRET": "secret", "HOLDFAST_DATA": str(tmp_path)}
    )
    folders = RunFolders(config.journals, config.archive, Vault(config.data))
    agent = Agent(config, cast("Engine", None), folders)
    (loop,) = agent.loops
    tokens: list[str | None] = []

    async def work(run: Run) -> DeliveryState:
        tokens.append(run.case.token)
        run.stage = Stage.DONE
        if len(tokens) == 1:
            agent.take(ClaimedRun(RUN, "second"), loop)
            message = "the disk failed"
            raise OSError(message)
        folders.close(run.case.folder, DeliveryState.RETURNED, [], keep=False)
        return DeliveryState.RETURNED

    monkeypatch.setattr(Run, "work", work)
    monkeypatch.setattr(module, "_AGAIN_SECONDS", (0.0, 0.0))
    await agent._live(folders.open(RUN, "first", "platform", "worker"), loop)
    while agent._tasks:
        await next(iter(agent._tasks))
    assert tokens == ["first", "first", "second"]
