"""When the supervisor's agent is started, and when it may claim runs."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from holdfast.engine.config import EngineConfig
from holdfast.engine.loop import Loop
from holdfast.engine.supervisor.supervisor import Supervisor


def test_an_agent_without_room_for_its_pipe_is_started_later(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full() -> NoReturn:
        raise OSError(errno.EMFILE, "no descriptor is left")

    supervisor = Supervisor.__new__(Supervisor)  # only what starting an agent needs
    supervisor._config = EngineConfig(tmp_path, tmp_path / "socket", agent=("agent",))
    supervisor._loop = Loop()
    supervisor._was_ready, supervisor._tell_ready, supervisor._agent = False, None, None
    supervisor._isolation = {}
    monkeypatch.setattr(os, "pipe", full)
    supervisor._start_agent()
    assert supervisor._agent is None
    assert supervisor._loop.has("agent")


@pytest.mark.parametrize("zygote_first", [True, False])
def test_runs_are_claimed_once_a_process_and_the_zygote_under_way_are_ready(
    *, zygote_first: bool
) -> None:
    supervisor = Supervisor.__new__(Supervisor)
    keepers = SimpleNamespace(settled=False)
    supervisor._keepers = keepers  # type: ignore[assignment]
    supervisor._was_ready = False
    told, supervisor._tell_ready = os.pipe()
    os.set_blocking(told, False)

    def zygote() -> None:
        keepers.settled = True
        supervisor._settled()

    one, other = supervisor._first_ready, zygote
    if zygote_first:
        one, other = other, one
    one()
    with pytest.raises(BlockingIOError):
        os.read(told, 1)
    other()
    assert os.read(told, 2) == b"1"
    os.close(told)
