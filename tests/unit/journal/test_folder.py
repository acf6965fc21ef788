"""The lock of a run's folder, as owners and lookers see it."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from holdfast.engine.supervisor.lost_runs import end_lost_run
from holdfast.journal import Journal, JournalLocked, RunFolder, RunLock, is_locked
from holdfast.model.record import Kind


def test_lookers_do_not_see_each_other(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        assert not is_locked(path)
        with pytest.raises(JournalLocked):
            RunLock(path)


def test_an_owner_waits_for_a_looker(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    looker = path.open("w")
    fcntl.flock(looker, fcntl.LOCK_SH)
    leaving = threading.Timer(0.05, looker.close)
    leaving.start()
    with RunLock(path, patience_seconds=30):
        assert is_locked(path)
    leaving.join()


def test_a_run_that_no_shim_had_is_not_even_locked(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "claimed")
    with Journal.create(folder.journal) as journal:
        journal.append(Kind.CLAIMED, b"{}")
        journal.flush()
    assert not end_lost_run(folder.path)
    assert not folder.lock.exists()
