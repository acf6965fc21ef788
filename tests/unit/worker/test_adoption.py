"""What an agent does with the folders of an earlier one."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path

import pytest

from holdfast.journal import DeliveryState
from holdfast.worker.agent import adoption as module
from holdfast.worker.agent.adoption import Adoption
from holdfast.worker.run_folders import FoundRun, RunFolders, Unread
from holdfast.worker.vault import Vault

OPEN, OVER = "2b0a6e0d-0c5c-4a53-9c6f-5d0c6e1b5f2b", "4f0a6e0d-0c5c-4a53-9c6f-5d0c6e1b5f2b"


@pytest.fixture
def folders(tmp_path: Path) -> RunFolders:
    return RunFolders(tmp_path / "journals", tmp_path / "archive", Vault(tmp_path))


async def test_open_runs_go_on_and_ended_ones_are_put_away(folders: RunFolders) -> None:
    folders.open(OPEN, "token", "platform", "worker")
    over = folders.open(OVER, "token", "platform", "worker")
    folders.close(over.folder, DeliveryState.RETURNED, [], keep=False)
    (folders.journals / "bare").mkdir()
    broken = folders.journals / "broken"
    broken.mkdir()
    (broken / "run.journal").write_bytes(b"no journal")
    taken: list[str] = []
    await Adoption(folders, lambda case: taken.append(case.run_id), _never).all()
    assert taken == [OPEN]
    assert [path.name for path in folders.journals.iterdir()] == [OPEN]


async def test_a_folder_that_cannot_be_read_is_tried_again(
    folders: RunFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AGAIN_SECONDS", (0.0, 0.0))
    path = folders.open(OPEN, "token", "platform", "worker").folder.path
    look, errors = folders.look, [OSError("the disk failed")] * 2

    def failing(path: Path) -> FoundRun | Path | Unread:
        return Unread(path, errors.pop()) if errors else look(path)

    monkeypatch.setattr(folders, "found", lambda: [failing(path)])
    monkeypatch.setattr(folders, "look", failing)
    taken: list[str] = []
    later: list[Coroutine[None, None, None]] = []
    await Adoption(folders, lambda case: taken.append(case.run_id), later.append).all()
    assert taken == []
    await later[0]
    assert taken == [OPEN]
    assert errors == []


def _never(work: Coroutine[None, None, None]) -> None:
    work.close()
    pytest.fail("nothing had to be tried again")
