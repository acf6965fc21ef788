"""Run folders: sealed tokens, what a folder tells, putting away, retention."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from holdfast.journal import DeliveryState, JournalReader, Mark
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from holdfast.worker.run_folders import FoundRun, RunFolders, Unread, keep_notes
from holdfast.worker.vault import Vault, VaultError

TOKEN = "eyJhbGciOiJSUzI1NiJ9.secret.token"


@pytest.fixture
def book(tmp_path: Path) -> RunFolders:
    return RunFolders(tmp_path / "journals", tmp_path / "archive", Vault(tmp_path))


def opened(book: RunFolders, run: str = "r1") -> FoundRun:
    return book.open(run, TOKEN, "ws://platform/worker", "w")


def test_a_claim_is_on_disk_and_its_token_is_not_readable(book: RunFolders) -> None:
    case = opened(book)
    text = b"".join(p.read_bytes() for p in case.folder.path.rglob("*") if p.is_file())
    assert TOKEN.encode() not in text
    read = book.read(case.folder.path)
    assert read is not None
    assert (read.run_id, read.token, read.unstarted) == ("r1", TOKEN, True)
    assert [item.run_id for item in book.found() if isinstance(item, FoundRun)] == ["r1"]
    with pytest.raises(FileExistsError):
        opened(book)


def test_a_token_is_forgotten_for_ever_when_its_run_is_put_away(book: RunFolders) -> None:
    case = opened(book)
    book.append(case.folder, (Kind.PREPARED, {}), (Kind.OUTCOME, {"reason": "success"}))
    (case.folder.path / "input.json").write_text("{}")
    case.folder.plan.write_text("{}")
    book.close(case.folder, DeliveryState.COMPLETE, [{"what": "refused"}], keep=True)
    assert list(book.found()) == []
    kept = book.archive / "r1"
    assert sorted(path.name for path in kept.iterdir()) == ["journal", "mark", "plan.json"]
    read = book.read(kept)
    assert read is not None
    assert read.token is None
    assert read.delivery is DeliveryState.COMPLETE
    with JournalReader(kept / "journal") as reader:
        assert [record.kind for record in reader.read()][-1] == Kind.NOTE
    again = opened(book)  # the platform gives the same run once more
    book.close(again.folder, DeliveryState.RETURNED, [], keep=True)
    assert sorted(path.name for path in book.archive.iterdir()) == ["r1", "r1~2"]


def test_notes_kept_before_a_kill_reach_the_journal_once(book: RunFolders) -> None:
    """The agent dies between the mark that passes a refused event and the end of the run."""
    case = opened(book)
    book.append(case.folder, (Kind.PREPARED, {}), (Kind.OUTCOME, {"reason": "success"}))
    keep_notes(case.folder, [{"what": "refused", "event": "run:log"}])
    with case.folder.notes.open("a") as file:
        file.write('{"what": "to')  # a power cut
    book.put_away(case.folder, keep=True)
    kept = book.archive / "r1"
    assert not (kept / "notes").exists()
    with JournalReader(kept / "journal") as reader:
        notes = [record.json() for record in reader.read() if record.kind == Kind.NOTE]
    assert notes == [{"what": "refused", "event": "run:log"}]


@pytest.mark.parametrize("there", [0, 1, 2])
def test_notes_that_reached_the_journal_before_a_kill_are_not_added_again(
    book: RunFolders, there: int
) -> None:
    """The agent dies while it moves them (chaos, seed 20261127)."""
    case = opened(book)
    notes: list[JsonObject] = [{"what": "refused", "event": name} for name in ("a", "b")]
    book.append(case.folder, (Kind.OUTCOME, {"reason": "success"}))
    keep_notes(case.folder, notes)
    book.append(case.folder, *((Kind.NOTE, note) for note in notes[:there]))
    book.put_away(case.folder, keep=True)
    with JournalReader(book.archive / "r1" / "journal") as reader:
        found = [record.json() for record in reader.read() if record.kind == Kind.NOTE]
    assert found == notes


def test_a_token_of_a_later_claim_counts(book: RunFolders) -> None:
    case = opened(book)
    book.renew(case, "newer")
    read = book.read(case.folder.path)
    assert read is not None
    assert read.token == "newer"
    book.close(case.folder, DeliveryState.COMPLETE, [], keep=True)
    assert not (book.archive / "r1" / "token").exists()


def test_nothing_is_kept_of_a_run_of_which_the_platform_keeps_nothing(book: RunFolders) -> None:
    case = opened(book)
    book.close(case.folder, DeliveryState.COMPLETE, [], keep=False)
    assert list(book.archive.iterdir()) == []
    assert list(book.found()) == []


def test_putting_away_can_be_done_again_after_a_kill(book: RunFolders) -> None:
    case = opened(book)
    with Mark(case.folder.mark) as mark:
        mark.close_delivery(DeliveryState.COMPLETE)
    read = book.read(case.folder.path)
    assert read is not None
    assert read.delivery is DeliveryState.COMPLETE
    book.put_away(case.folder, keep=True)
    assert list(book.found()) == []


def test_that_delivery_is_over_is_on_disk_before_documents_are_removed(
    book: RunFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut that took back only the mark would have the run delivered without them."""
    case = opened(book)
    with Mark(case.folder.mark) as mark:  # as the deliverer does, which does not sync it
        mark.move(replace(mark.position, delivery=DeliveryState.COMPLETE))
    blobs = case.folder.path / "blobs"
    blobs.mkdir()
    synced: list[tuple[str, bool]] = []

    def watched(real: Callable[[int], None], file: int) -> None:
        real(file)
        synced.append((Path(f"/proc/self/fd/{file}").readlink().name, blobs.exists()))

    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, partial(watched, getattr(os, name)))
    book.close(case.folder, DeliveryState.COMPLETE, [], keep=True)
    assert ("mark", True) in synced
    assert not (book.archive / "r1" / "blobs").exists()


def test_a_folder_that_tells_nothing_is_set_aside(book: RunFolders) -> None:
    (book.journals / "r9").mkdir()
    (book.journals / "r9" / "journal").write_bytes(b"garbage!garbage!")
    (found,) = book.found()
    assert isinstance(found, Path)
    assert not book.is_bare(found)
    assert book.set_aside(found).exists()
    assert list(book.found()) == []


def test_claim_cut_off_before_its_acknowledgement_is_no_damage(
    book: RunFolders,
) -> None:
    case = opened(book)
    whole = case.folder.journal.read_bytes()
    for size in (0, 8, 20, len(whole) - 1):
        case.folder.journal.write_bytes(whole[:size])
        assert book.is_bare(case.folder.path)
    case.folder.journal.write_bytes(whole)
    assert not book.is_bare(case.folder.path)
    case.folder.journal.unlink()
    assert book.is_bare(case.folder.path)


def test_retention_by_age_and_by_size(book: RunFolders) -> None:
    for number in range(5):
        case = opened(book, f"r{number}")
        (case.folder.path / "plan.json").write_bytes(b"x" * 10_000)
        book.close(case.folder, DeliveryState.COMPLETE, [], keep=True)
        moment = time.time() - 100 * (5 - number)
        os.utime(book.archive / f"r{number}", (moment, moment))
    assert book.prune(keep_seconds=450, keep_bytes=10**9) == 1
    assert book.prune(keep_seconds=450, keep_bytes=25_000) == 2
    assert sorted(path.name for path in book.archive.iterdir()) == ["r3", "r4"]


def test_the_key_of_the_host_is_private_and_checked(tmp_path: Path) -> None:
    Vault(tmp_path)
    path = tmp_path / "keys" / "host.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert Vault(tmp_path).open(tmp_path, "bm90IHNlYWxlZA==") is None
    path.write_bytes(b"short")
    with pytest.raises(VaultError, match="not the key"):
        Vault(tmp_path)


def test_a_folder_that_only_was_being_made_is_in_nobodys_way(book: RunFolders) -> None:
    """A disk that failed in the middle of a claim may fail at tidying up as well."""
    (book.journals / "r1").mkdir()
    assert opened(book).token == TOKEN


def test_a_folder_that_cannot_be_read_now_is_not_taken_for_damaged(book: RunFolders) -> None:
    case = opened(book)
    case.folder.journal.unlink()
    case.folder.journal.symlink_to(case.folder.journal.name)  # ELOOP at every open
    (found,) = book.found()
    assert isinstance(found, Unread)
    assert found.path == case.folder.path
