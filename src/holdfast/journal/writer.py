"""Writing a journal: records are collected and written in groups, one sync per group."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import time
from pathlib import Path
from typing import Self

from holdfast import durable, faults
from holdfast.journal.errors import JournalFull
from holdfast.journal.reader import JournalReader, check_magic
from holdfast.journal.record import HEADER, MAGIC, encode

#: Room that ordinary records leave free for the outcome and the ends of open steps.
RESERVE = 128 * 1024
#: Disk blocks are taken in steps of this size, ahead of need.
_STEP = 256 * 1024
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE


class Journal:
    """The one writer of a run's journal.

    `append` keeps a record in memory, `flush` writes all of them with one write and, if asked,
    one fdatasync. What `synced` counts survives a power cut; what it does not count yet is kept
    in memory too. A group that could not be written whole is taken back from the file, so that a
    later flush can try again. So is everything behind `synced` when a sync fails: the kernel may
    have dropped what it could not bring to disk, and would call the next sync a success.
    """

    def __init__(self, path: Path, file: int, sequence: int, size: int, max_bytes: int) -> None:
        self.path = path
        self.sequence = sequence  # of the last record appended
        self.written = sequence  # of the last record in the file
        self.synced = sequence  # of the last record that survives a power cut
        self.cut_bytes = 0  # torn tail removed when opened
        self._file = file
        self._size = size  # good bytes in the file
        self._allocated = size
        self._max = max_bytes
        self._pending = bytearray()
        self._unsynced = bytearray()  # what lies in the file behind the last sync
        self._owed = (0, sequence)  # of what waits: bytes (and last number) not to be discarded
        self._doubtful = False  # a sync has failed: this descriptor is not to be trusted
        self._essential = False
        self._can_allocate = True

    @classmethod
    def create(cls, path: Path, *, max_bytes: int = 0) -> Self:
        """A new journal, durable by name when this returns. FileExistsError if there is one."""
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        journal = cls(path, file, 0, 0, max_bytes)
        journal._write_magic()
        durable.sync_folder(path.parent)
        return journal

    @classmethod
    def begin(cls, path: Path) -> Self:
        """A new journal for a few records, without a reserve. Its name is durable when the caller
        has synced its folder, the rest with the first flush. FileExistsError if there is one."""
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        journal = cls(path, file, 0, 0, 0)
        journal._can_allocate = False
        journal._write_magic(sync=False)
        return journal

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        max_bytes: int = 0,
        after: int = 0,
        offset: int = len(MAGIC),
        reserve: bool = True,
    ) -> Self:
        """Go on writing behind the last good record; what lies behind it is cut off.

        Without `reserve` no disk blocks are taken ahead: for a few records.

        Everything up to record `after`, which ends at `offset`, is trusted (both from a mark).

        A cut tail is kept beside the journal as `journal.cut-<offset>` if it is more than a torn
        last record could be, so that damage in the middle can be looked into.
        """
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            check_magic(os.pread(file, len(MAGIC), 0), path)
            with JournalReader(path, after=after, offset=offset) as reader:
                for _ in reader.read():
                    pass
                tail, size, sequence = reader.tail_bytes, reader.offset, reader.sequence
            journal = cls(path, file, sequence, size, max_bytes)
            journal._can_allocate = reserve
            if tail > 0:
                journal._cut(tail)
            if os.fstat(file).st_size < len(MAGIC):
                journal._write_magic()
        except BaseException:
            os.close(file)
            raise
        return journal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Bytes in the file and in memory."""
        return self._size + len(self._pending)

    @property
    def unsynced(self) -> int:
        """Bytes in memory because the disk may not have them yet."""
        return len(self._unsynced) + len(self._pending)

    @property
    def pending(self) -> int:
        """Bytes that wait for a flush."""
        return len(self._pending)

    def append(
        self, kind: int, body: bytes, time_us: int | None = None, *, essential: bool = False
    ) -> int:
        """Add a record; returns its sequence number. It is in memory until `flush`.

        Raises JournalFull when the run's budget is used, unless `essential` (an outcome, the end
        of an open step): those may use the reserve.
        """
        needed = self.size + HEADER.size + len(body)
        if self._max and not essential and needed > self._max - RESERVE:
            message = f"The journal of this run has reached its limit of {self._max} bytes."
            raise JournalFull(message)
        now = time.time_ns() // 1000 if time_us is None else time_us
        self._pending += encode(self.sequence + 1, now, kind, body)
        self.sequence += 1
        self._essential = self._essential or essential
        return self.sequence

    def flush(self, *, sync: bool = True) -> int:
        """Write what waits, and make it durable if `sync`; returns the last number written.

        Raises JournalFull when the disk has no room (nothing is lost: the group still waits and
        may be tried again), OSError when the disk fails (the same: records that are not synced
        wait to be written again).
        """
        size, number = self._owed
        before = len(self._unsynced) + size, number  # what is not new in this flush
        try:
            if self._pending:
                self._write_pending()
            if sync and self.synced < self.written:
                self._sync(before)
        except JournalFull:
            raise
        except OSError:
            if not sync:  # a part of the run's story, not the try to write its end
                self._owed = len(self._pending), self.sequence
            raise
        return self.written

    def discard_pending(self) -> None:
        """Forget records not written; for a full disk, before the outcome is appended.

        What was written before, and only came back because a sync failed, is not forgotten.
        """
        size, self.sequence = self._owed
        del self._pending[size:]
        self._essential = False

    def close(self) -> None:
        """Let go of the file; unwritten records are not written, unused room is given back."""
        if self._file >= 0:
            if max(self._allocated, os.fstat(self._file).st_size) > self._size:
                os.ftruncate(self._file, self._size)
            os.close(self._file)
            self._file = -1

    def _write_magic(self, *, sync: bool = True) -> None:
        os.pwrite(self._file, MAGIC, 0)
        if sync:
            os.fdatasync(self._file)
        self._size = self._allocated = len(MAGIC)

    def _write_pending(self) -> None:
        faults.point("journal.write")
        if self._doubtful:
            self._renew()
        self._make_room(len(self._pending))
        self._write(self._pending)
        self._unsynced += self._pending
        self._pending.clear()
        self._essential = False
        self.written = self.sequence
        self._owed = 0, self.written

    def _sync(self, before: tuple[int, int]) -> None:
        try:
            faults.point("journal.sync")
            os.fdatasync(self._file)
        except OSError:
            self._take_back(before)
            raise
        self._unsynced.clear()
        self.synced = self.written
        faults.point("journal.synced")

    def _take_back(self, before: tuple[int, int]) -> None:
        """After a sync that failed: all behind the last good one waits to be written again."""
        self._size -= len(self._unsynced)
        self._pending[:0] = self._unsynced
        self._unsynced.clear()
        self._owed = before
        self.written = self.synced
        self._doubtful = self._essential = True  # it had its room, the reserve may give it again
        with contextlib.suppress(OSError):  # nobody who comes after us may take it for durable
            self._renew()

    def _renew(self) -> None:
        """A fresh descriptor, and nothing in the file behind what is synced."""
        file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.ftruncate(file, self._size)
        except OSError:
            os.close(file)
            raise
        os.close(self._file)
        self._file, self._allocated, self._doubtful = file, self._size, False

    def _write(self, data: bytearray) -> None:
        view = memoryview(data)
        done = 0
        try:
            while done < len(view):
                done += os.pwrite(self._file, view[done:], self._size + done)
        except OSError as error:
            if done:  # a cut also gives the reserve back, so only where it must be
                os.ftruncate(self._file, self._size)
                self._allocated = self._size
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _disk_full(self.path) from error
            raise
        finally:
            view.release()
        self._size += len(data)

    def _make_room(self, needed: int) -> None:
        """Take disk blocks for this group and the reserve behind it, where the disk can do it."""
        end = self._size + needed
        if not self._can_allocate or end + RESERVE <= self._allocated:
            return
        wanted = end + RESERVE + _STEP
        problem = _allocate(self._file, self._allocated, wanted - self._allocated)
        if problem == 0:
            self._allocated = wanted
        elif problem in (errno.ENOSPC, errno.EDQUOT):
            if not self._essential:
                raise _disk_full(self.path)
        else:
            self._can_allocate = False  # a file system without fallocate: no reserve to be had

    def _cut(self, tail: int) -> None:
        self.cut_bytes = tail
        rest = os.pread(self._file, min(tail, 64 * 1024 * 1024), self._size)
        if len(rest.rstrip(b"\0")) > HEADER.size:
            keep = self.path.with_name(f"{self.path.name}.cut-{self._size}")
            durable.write(keep, rest)
        os.ftruncate(self._file, self._size)
        os.fsync(self._file)


def _disk_full(path: Path) -> JournalFull:
    message = f"There is no room on the disk for {path}."
    return JournalFull(message, fix="Free some space on the disk of the data folder.")


_libc = ctypes.CDLL(None, use_errno=True)


def _allocate(file: int, offset: int, length: int) -> int:
    """fallocate(KEEP_SIZE); returns 0 or the errno. Python's own call would change the size."""
    try:
        call = _libc.fallocate64
    except AttributeError:
        try:
            call = _libc.fallocate
        except AttributeError:
            return errno.ENOSYS
    result = call(
        ctypes.c_int(file),
        ctypes.c_int(_KEEP_SIZE),
        ctypes.c_int64(offset),
        ctypes.c_int64(length),
    )
    return 0 if result == 0 else ctypes.get_errno()
