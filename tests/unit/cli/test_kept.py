"""A child, such as the worker of `holdfast up`, ends when it is told, whenever that is."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from holdfast.cli.kept import Kept


def command(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is started instead of a worker."""
    script = folder / "worker"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


@pytest.mark.parametrize("turns", range(4))
async def test_worker_told_to_stop_while_it_is_made_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    command(tmp_path, "exec sleep 1000", monkeypatch)

    worker = Kept("worker", ["worker"], {"PATH": "/usr/bin:/bin"})
    keeping = asyncio.create_task(worker.keep())
    for _ in range(turns):
        await asyncio.sleep(0)
    worker.stop()
    await asyncio.wait_for(keeping, 20)


async def test_worker_that_waits_to_be_started_again_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(tmp_path, f"echo >> '{tmp_path / 'starts'}'; exit 3", monkeypatch)
    pauses: list[float] = []
    worker = Kept("worker", ["worker"], {"PATH": "/usr/bin:/bin"})
    real = asyncio.wait_for

    async def waiting(what: object, seconds: float) -> object:
        pauses.append(seconds)
        worker.stop()
        return await real(what, seconds)  # type: ignore[arg-type]

    monkeypatch.setattr("holdfast.cli.kept.asyncio.wait_for", waiting)
    await real(worker.keep(), 20)
    assert len(pauses) == 1
    assert (tmp_path / "starts").read_text() == "\n"
