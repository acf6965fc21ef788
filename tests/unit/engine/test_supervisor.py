"""What the supervisor does when the system has no room."""

from __future__ import annotations

import errno
import os
from pathlib import Path
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
    monkeypatch.setattr(os, "pipe", full)
    supervisor._start_agent()
    assert supervisor._agent is None
    assert supervisor._loop.has("agent")
