from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.adaptors import tree
from holdfast.adaptors.integrity import SWEEP_SECONDS, Verifier
from holdfast.adaptors.record import Record


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def installed(tmp_path: Path) -> tuple[Path, Record]:
    package = tmp_path / "node_modules" / "a"
    package.mkdir(parents=True)
    for name in ("package.json", "index.js", "far.js"):
        (package / name).write_text("text of " + name)
    found = tree.digest(tmp_path / "node_modules")
    record = Record("a", "1.0.0", "index.js", (), 0, found.digest, 3, found.size, 0.0, "")
    record.write(tmp_path)
    return tmp_path, record


def test_what_was_checked_is_fresh_until_it_changes(installed: tuple[Path, Record]) -> None:
    folder, record = installed
    verifier = Verifier(Clock())
    assert not verifier.fresh(folder, record)
    assert verifier.check(folder, record)
    assert verifier.fresh(folder, record)
    entry = folder / "node_modules" / "a" / "index.js"
    entry.write_text("changed")
    assert not verifier.fresh(folder, record)
    assert not verifier.check(folder, record)
    assert not verifier.fresh(folder, record)


def test_a_change_elsewhere_is_noticed_by_the_next_sweep(installed: tuple[Path, Record]) -> None:
    folder, record = installed
    clock = Clock()
    verifier = Verifier(clock)
    assert verifier.check(folder, record)
    (folder / "node_modules" / "a" / "far.js").write_text("changed, and longer than before")
    assert verifier.fresh(folder, record)
    clock.now += SWEEP_SECONDS + 1
    assert not verifier.fresh(folder, record)
    assert not verifier.check(folder, record)


def test_files_that_were_only_touched_are_read_again_and_found_whole(
    installed: tuple[Path, Record],
) -> None:
    folder, record = installed
    clock = Clock()
    verifier = Verifier(clock)
    assert verifier.check(folder, record)
    (folder / "node_modules" / "a" / "far.js").touch()
    clock.now += SWEEP_SECONDS + 1
    assert verifier.check(folder, record)


def test_a_folder_that_is_gone_is_not_whole(
    tmp_path: Path, installed: tuple[Path, Record]
) -> None:
    _, record = installed
    assert not Verifier().check(tmp_path / "gone", record)
