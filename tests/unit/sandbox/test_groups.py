"""The group without a kernel's help."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from holdfast.sandbox import groups
from holdfast.sandbox.groups import Sampling


def test_a_stranger_with_the_number_of_one_that_is_gone_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = Sampling()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        with monkeypatch.context() as earlier:  # it was another process that joined
            earlier.setattr(groups.processes, "start_time", lambda _pid: 1)
            group.add(process.pid)
        assert group.usage() == 0
        group.kill()
        process.communicate(b"\n")
    assert process.returncode == os.EX_OK


def test_who_joined_is_counted_and_ended() -> None:
    group = Sampling()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        group.add(process.pid)
        assert group.usage() > 0
        group.kill()
    assert process.returncode < 0
