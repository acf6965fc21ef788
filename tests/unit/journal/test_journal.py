"""Writing, reading and repairing a journal, on a real file system."""

from __future__ import annotations

import errno
import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast import faults
from holdfast.journal import (
    RESERVE,
    BlobWriter,
    DeliveryState,
    Journal,
    JournalDamaged,
    JournalFull,
    JournalLocked,
    JournalReader,
    Mark,
    Position,
    RunFolder,
    RunLock,
    blob_path,
    folder_name,
    is_locked,
)
from holdfast.journal import writer as writer_module


def write(path: Path, bodies: list[bytes]) -> None:
    with Journal.create(path) as journal:
        for body in bodies:
            journal.append(13, body)
        journal.flush()


def read(path: Path) -> list[bytes]:
    with JournalReader(path) as reader:
        return [record.body for record in reader.read()]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal.create(path) as journal:
        assert journal.append(1, b'{"a":1}', time_us=7) == 1
        assert journal.append(2, b"") == 2
        assert journal.synced == 0
        assert journal.flush() == 2
        assert journal.synced == 2
    with JournalReader(path) as reader:
        first, second = reader.read()
    assert (first.sequence, first.time_us, first.kind, first.json()) == (1, 7, 1, {"a": 1})
    assert second.json() == {}
    assert second.offset == first.end
    assert path.stat().st_size == second.end


@settings(max_examples=60, deadline=None)
@given(bodies=st.lists(st.binary(max_size=400), max_size=12), data=st.data())
def test_a_torn_file_keeps_every_whole_record_and_grows_on(
    bodies: list[bytes], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("j") / "journal"
    write(path, bodies)
    whole = path.read_bytes()
    ends = [8]
    for body in bodies:
        ends.append(ends[-1] + 25 + len(body))
    size = data.draw(st.integers(0, len(whole)))
    torn = whole[:size] + data.draw(st.binary(max_size=40))
    if size < 8:  # the magic itself is torn: nothing was ever acknowledged
        torn = whole[:size]
    path.write_bytes(torn)
    # not by `size`: what was drawn may happen to be what was torn off
    expected = bodies[: sum(torn[:end] == whole[:end] for end in ends[1:])]
    assert read(path) == expected
    with Journal.open(path) as journal:
        assert journal.sequence == len(expected)
        journal.append(13, b"next")
        journal.flush()
    assert read(path) == [*expected, b"next"]


def test_a_flipped_bit_is_noticed_and_the_rest_is_kept_for_a_look(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    write(path, [b"one" * 10, b"two" * 10, b"three" * 10])
    data = bytearray(path.read_bytes())
    data[8 + 25 + 30 + 25 + 3] ^= 1  # in the body of the second record
    path.write_bytes(data)
    with JournalReader(path) as reader:
        assert [record.body for record in reader.read()] == [b"one" * 10]
        assert reader.tail_bytes > 0
    with Journal.open(path) as journal:
        assert journal.cut_bytes > 0
        assert journal.sequence == 1
    assert [item.name for item in tmp_path.glob("journal.cut-*")] == ["journal.cut-63"]


def test_what_a_mark_vouches_for_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    write(path, [b"one", b"two", b"three"])
    with JournalReader(path) as reader:
        records = list(reader.read())
    data = bytearray(path.read_bytes())
    data[records[0].end - 1] ^= 1  # damage in what was delivered long ago
    path.write_bytes(data)
    with Journal.open(path, after=2, offset=records[1].end) as journal:
        assert journal.sequence == 3
        journal.append(30, b"{}")
        journal.flush()
    with JournalReader(path, after=2, offset=records[1].end) as reader:
        assert [record.body for record in reader.read()] == [b"three", b"{}"]


def test_finding_some_kinds_is_the_same_as_reading_and_choosing(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    chance = random.Random(5)
    with Journal.create(path) as journal, JournalReader(path) as reader:
        assert list(reader.find(frozenset({1}))) == []
        for number in range(200):
            journal.append(chance.choice([1, 2, 3]), b"x" * chance.randrange(300), number)
        journal.flush()
        wanted = [record for record in reader.read() if record.kind in (1, 3)]
        assert list(reader.find(frozenset({1, 3}))) == wanted
    data = bytearray(path.read_bytes())
    data[wanted[4].end - 1] ^= 1  # damage in one that is wanted
    path.write_bytes(data[: wanted[9].end - 3])
    with JournalReader(path) as reader:
        found = list(reader.find(frozenset({1, 3})))
    assert found == wanted[: len(found)]
    assert len(found) <= 9


def test_some_kinds_are_found_across_what_is_read_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    chance = random.Random(6)
    with Journal.create(path) as journal:
        for number in range(120):
            size = chance.choice([0, 300, 70_000, 400_000, 1_100_000])
            journal.append(chance.choice([1, 2]), bytes(size), number)
        journal.flush()
    with JournalReader(path) as reader:
        wanted = [record for record in reader.read() if record.kind == 1]
        assert list(reader.find(frozenset({1}))) == wanted
    whole = path.read_bytes()
    for _ in range(20):
        cut = chance.randrange(len(whole))
        path.write_bytes(whole[:cut])
        with JournalReader(path) as reader:
            found = list(reader.find(frozenset({1})))
        assert found == [record for record in wanted if record.end <= cut]


def test_a_journal_that_is_cut_while_it_is_looked_through(tmp_path: Path) -> None:
    # As its writer does after a sync that failed. A mapped file would end this process here.
    path = tmp_path / "journal"
    with Journal.create(path) as journal:
        for number in range(50):
            journal.append(1, bytes(100_000), number)
        journal.flush()
    with JournalReader(path) as reader:
        found = reader.find(frozenset({1}))
        assert next(found).sequence == 1
        os.truncate(path, 4096)
        assert len(list(found)) < 49


def test_records_larger_than_a_chunk(tmp_path: Path) -> None:
    bodies = [os.urandom(size) for size in (10, 300_000, 5, 1_000_000, 262_144 - 25, 3)]
    write(tmp_path / "journal", bodies)
    assert read(tmp_path / "journal") == bodies


def test_a_reader_follows_a_writer_and_stops_where_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal.create(path) as journal, JournalReader(path) as reader:
        assert list(reader.read()) == []
        for number in range(10):
            journal.append(13, b"%d" % number)
        assert list(reader.read()) == []
        journal.flush()
        assert [record.sequence for record in reader.read(until=4)] == [1, 2, 3, 4]
        journal.append(13, b"10")
        journal.flush(sync=False)
        assert [record.sequence for record in reader.read()] == [5, 6, 7, 8, 9, 10, 11]
        later = JournalReader(path, after=reader.sequence, offset=reader.offset)
        journal.append(13, b"11")
        journal.flush()
        assert [record.body for record in later.read()] == [b"11"]
        later.close()


def test_other_files_and_other_versions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"something else entirely")
    with pytest.raises(JournalDamaged, match="not a journal"):
        JournalReader(path)
    path.write_bytes(b"HFJRNL\x00\x09 later")
    with pytest.raises(JournalDamaged, match="version 9"):
        Journal.open(path)


def test_the_budget_leaves_room_for_the_outcome(tmp_path: Path) -> None:
    limit = RESERVE + 10_000
    with Journal.create(tmp_path / "journal", max_bytes=limit) as journal:
        with pytest.raises(JournalFull):  # noqa: PT012 - one of many is refused
            for _ in range(1000):
                journal.append(13, b"x" * 100)
        journal.append(30, b"{}", essential=True)
        journal.flush()
        assert journal.size < limit
    assert read(tmp_path / "journal")[-1] == b"{}"


def test_a_full_disk_takes_the_outcome_from_the_reserve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.create(tmp_path / "journal")
    journal.append(13, b"first")
    journal.flush()
    monkeypatch.setattr(writer_module, "_allocate", lambda *_: errno.ENOSPC)
    with pytest.raises(JournalFull, match="no room on the disk"):  # noqa: PT012 - one of many
        for _ in range(10_000):
            journal.append(13, b"x" * 500)
            journal.flush(sync=False)
    written = journal.written
    journal.discard_pending()
    assert journal.append(30, b"{}", essential=True) == written + 1
    journal.flush()
    journal.close()
    assert read(tmp_path / "journal")[-1] == b"{}"


def test_a_half_written_group_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.create(tmp_path / "journal")
    journal.append(13, b"first")
    journal.flush()
    real, calls = os.pwrite, []

    def failing(file: int, data: bytes, offset: int) -> int:
        calls.append(len(data))
        if len(calls) == 1:
            return real(file, bytes(data)[:20], offset)
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "pwrite", failing)
    journal.append(13, b"second" * 20)
    with pytest.raises(JournalFull):
        journal.flush()
    assert read(tmp_path / "journal") == [b"first"]
    monkeypatch.setattr(os, "pwrite", real)
    journal.flush()
    journal.close()
    assert read(tmp_path / "journal") == [b"first", b"second" * 20]


class Kernel:
    """What survives a power cut, on a disk whose failed syncs drop what they were to write."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.durable = b""
        self.failing = 0  # so many syncs fail from now on
        self._sync = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self.sync)

    def sync(self, file: int) -> None:
        if self.failing:
            self.failing -= 1
            size = os.fstat(file).st_size
            lost = self.durable + bytes(max(0, size - len(self.durable)))
            self.path.write_bytes(lost[:size])  # the pages are clean now, and were never written
            raise OSError(errno.EIO, "lost")
        self._sync(file)
        self.durable = self.path.read_bytes()

    def records(self) -> list[bytes]:
        """What a journal holds after the power cut."""
        self.path.write_bytes(self.durable)
        return read(self.path)


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_a_failed_sync_is_never_taken_for_done(
    failures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    kernel = Kernel(path, monkeypatch)
    journal = Journal.create(path)
    journal.append(13, b"first")
    journal.flush()
    journal.append(13, b"second")
    journal.flush(sync=False)
    journal.append(13, b"third")
    kernel.failing = failures
    for _ in range(failures):
        with pytest.raises(OSError, match="lost"):
            journal.flush()
        assert journal.synced == 1, "nothing is announced that a power cut could take"
        assert read(path) == [b"first"], "nor can a successor take it for durable"
    journal.append(13, b"fourth")
    assert journal.flush() == 4
    assert journal.synced == 4
    assert kernel.records() == [b"first", b"second", b"third", b"fourth"]
    journal.close()


def test_after_a_failed_sync_only_the_last_group_can_be_discarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shim tries to write the end until it is written: once, behind all that happened."""
    path = tmp_path / "journal"
    kernel = Kernel(path, monkeypatch)
    with Journal.create(path) as journal:
        journal.append(14, b"step")
        journal.flush(sync=False)
        kernel.failing = 2
        for _ in range(2):
            journal.append(30, b"outcome", essential=True)
            with pytest.raises(OSError, match="lost"):
                journal.flush()
            journal.discard_pending()
        journal.flush(sync=False)
        journal.append(30, b"outcome", essential=True)
        journal.flush()
    assert kernel.records() == [b"step", b"outcome"]


@pytest.mark.parametrize("point", ["journal.write", "journal.sync"])
def test_an_injected_disk_error_loses_nothing(point: str, tmp_path: Path) -> None:
    plan = tmp_path / "faults.json"
    fault = {"action": "error", "errno": "EIO", "on": 2}
    plan.write_text(json.dumps({"points": {point: fault}}))
    path = tmp_path / "journal"
    try:
        faults.load(str(plan))
        with Journal.create(path) as journal:
            journal.append(13, b"first")
            journal.flush()
            journal.append(13, b"second")
            with pytest.raises(OSError, match="Input/output"):
                journal.flush()
            assert (journal.synced, read(path)) == (1, [b"first"])
            journal.append(13, b"third")
            journal.flush()
            assert journal.synced == 3
    finally:
        faults.load(None)
    assert read(path) == [b"first", b"second", b"third"]


def test_what_could_not_be_written_is_not_discarded_with_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails for a while, not for want of room: the story stays whole."""
    real = os.pwrite

    def failing(*_: object) -> int:
        raise OSError(errno.EROFS, "read-only")

    path = tmp_path / "journal"
    with Journal.create(path) as journal:
        monkeypatch.setattr(os, "pwrite", failing)
        journal.append(14, b"step")
        for _ in range(3):
            with pytest.raises(OSError, match="read-only"):
                journal.flush(sync=False)
            journal.append(30, b"outcome", essential=True)
            with pytest.raises(OSError, match="read-only"):
                journal.flush()
            journal.discard_pending()
        monkeypatch.setattr(os, "pwrite", real)
        journal.append(30, b"outcome", essential=True)
        assert journal.flush() == 2
    assert read(path) == [b"step", b"outcome"]


def test_the_mark_survives_any_torn_write(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    with Mark(path) as mark:
        assert mark.position == Position()
        mark.move(Position(3, 100))
        mark.move(Position(4, 150, 1))
        with pytest.raises(ValueError, match="back"):
            mark.move(Position(4, 150, 0))
    with Mark(path) as mark:
        assert mark.position == Position(4, 150, 1)
        mark.close_delivery(DeliveryState.COMPLETE)
    whole = path.read_bytes()
    for seed in range(64):
        data = bytearray(whole)
        place = random.Random(seed).randrange(64, len(data))  # the slot written last
        data[place] ^= 255
        path.write_bytes(data)
        with Mark(path) as mark:
            assert mark.position.sequence == 4


def test_blobs_are_named_by_what_they_hold(tmp_path: Path) -> None:
    with BlobWriter(tmp_path) as blob:
        blob.write(b"hello ")
        blob.write(b"world")
        digest = blob.finish()
    assert blob_path(tmp_path, digest).read_bytes() == b"hello world"
    with BlobWriter(tmp_path) as blob:
        blob.write(b"never finished")
    assert [item.name for item in (tmp_path / "blobs").iterdir()] == [digest]
    with pytest.raises(ValueError, match="not a SHA-256"):
        blob_path(tmp_path, "../../etc/passwd")


@pytest.mark.parametrize("run_id", ["../up", "a/b", "..", ".", "", "x" * 500, "é\0"])
def test_a_run_id_cannot_leave_its_place(run_id: str, tmp_path: Path) -> None:
    name = folder_name(run_id)
    assert "/" not in name
    assert name not in {"", ".", ".."}
    folder = RunFolder.create(tmp_path, run_id)
    assert folder.path.parent == tmp_path
    assert folder.path.stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileExistsError):
        RunFolder.create(tmp_path, run_id)


def test_a_lock_has_one_owner(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    with RunLock(path):
        assert is_locked(path)
        with pytest.raises(JournalLocked, match="another process"):
            RunLock(path)
    assert not is_locked(path)
