"""A real process lets others go first without a control group's help."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from holdfast.sandbox.courtesy import let_go_first
from support.cgroups import session_counts
from support.waiting import eventually


@pytest.fixture
def other() -> Iterator[int]:
    code = "print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        yield process.pid
        process.kill()


def test_a_session_lets_others_go_first_and_no_longer(other: int) -> None:
    possible = session_counts(other)
    for yes, niceness in ((True, "nice 19"), (False, "nice 0")):
        if not possible:
            assert not let_go_first(other, yes)
        else:  # an ordinary user may have to wait until others have changed theirs
            eventually(partial(let_go_first, other, yes), "the session is weighed anew")
            assert niceness in Path(f"/proc/{other}/autogroup").read_text()
        assert os.sched_getscheduler(other) == (os.SCHED_IDLE if possible else os.SCHED_OTHER)


def test_one_in_the_session_of_its_shim_is_left_alone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert not let_go_first(process.pid, True)
        assert os.sched_getscheduler(process.pid) == os.SCHED_OTHER


def test_one_that_is_gone_is_no_trouble() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], start_new_session=True) as process:
        process.wait()
    assert not let_go_first(process.pid, True)


def test_a_process_that_has_time_stands_back_with_its_own_session_only() -> None:
    code = (
        "import os; from holdfast.sandbox.courtesy import stand_back; stand_back();"
        "print(os.nice(0), open('/proc/self/autogroup').read())"
    )
    for alone in (False, True):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True, text=True, check=True, start_new_session=alone,
        )  # fmt: skip
        niceness, session = done.stdout.split(" ", 1)
        assert int(niceness) == min(19, os.nice(0) + 10)
        if alone and Path("/proc/sys/kernel/sched_autogroup_enabled").read_text() == "1\n":
            assert session.rstrip().endswith("nice 10")
        elif not alone:
            assert session == Path("/proc/self/autogroup").read_text() + "\n"
