"""Reading a journal, also one that is still growing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from holdfast.journal.errors import JournalDamaged
from holdfast.journal.record import HEADER, HOP, MAGIC, MAX_BODY, Record, announced, decode

_CHUNK = 256 * 1024
#: What `find` reads at a time.
_WINDOW = 1024 * 1024


class JournalReader:
    """Reads records in order and remembers its position.

    `read()` yields all complete records. A later call continues after the last one that was
    yielded. It stops before a torn or damaged record; `tail_bytes` says how many bytes follow.

    Raises JournalDamaged if the file is not a journal of a known version, FileNotFoundError if
    there is none.
    """

    def __init__(self, path: Path, *, after: int = 0, offset: int = len(MAGIC)) -> None:
        """Start behind record `after`, which ends at `offset` (both from a mark)."""
        self.sequence = after
        self.offset = max(offset, len(MAGIC))
        self._path = path
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            check_magic(os.pread(self._file, len(MAGIC), 0), path)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def read(self, until: int | None = None) -> Iterator[Record]:
        """Each complete record up to sequence number `until` (default: all that are there)."""
        size = _CHUNK
        while until is None or self.sequence < until:
            data = os.pread(self._file, size, self.offset)
            view, position = memoryview(data), 0
            base = self.offset
            while until is None or self.sequence < until:
                record = decode(view, position, base + position, self.sequence + 1)
                if record is None:
                    break
                position = record.end - base
                self.sequence, self.offset = record.sequence, record.end
                yield record
            if len(data) < size:  # that was the end of the file
                return
            needed = announced(view, position)
            if position == 0 and size >= needed:
                return  # complete and yet no record: damaged
            if needed > MAX_BODY + HEADER.size:
                return
            size = max(_CHUNK, needed)

    def find(self, kinds: frozenset[int]) -> Iterator[Record]:
        """Records of some kinds, from the beginning; the others are hopped over unread.

        Many times faster than `read`: of the records in between only the numbering is checked.
        What is yielded has been checked whole. Leaves the place of `read` where it is.
        """
        # Not mapped: where the disk fails, or the writer takes back what it could not sync, a look
        # into a mapped file ends the process, and not with an OSError.
        offset, sequence, header, unpack = len(MAGIC), 1, HEADER.size, HOP.unpack_from
        size = _WINDOW
        while len(data := os.pread(self._file, size, offset)) >= header:
            at, end, at_end = 0, len(data) - header, len(data) < size
            size = _WINDOW
            while at <= end:  # thousands of times in each journal: nothing more in here
                length, number, kind = unpack(data, at)
                if number != sequence:
                    return
                if kind in kinds:
                    record = decode(memoryview(data), at, offset + at, number)
                    if record is None:
                        size = max(_WINDOW, header + length)
                        if at_end or at + header + length <= len(data) or length > MAX_BODY:
                            return  # torn, or damaged
                        break
                    yield record
                sequence += 1
                at += header + length
            offset += at

    @property
    def tail_bytes(self) -> int:
        """Bytes behind the last record that was read."""
        return os.fstat(self._file).st_size - self.offset


def check_magic(found: bytes, path: Path) -> None:
    """Raises JournalDamaged unless `found` is the start of a journal (or of an empty one)."""
    if found == MAGIC or (len(found) < len(MAGIC) and MAGIC.startswith(found)):
        return
    if found[:6] == MAGIC[:6]:
        version = int.from_bytes(found[6:8], "big")
        message = f"{path} is a journal of version {version}; this program knows version 1."
        raise JournalDamaged(message, fix="Use the Holdfast version that wrote it.")
    message = f"{path} is not a journal."
    raise JournalDamaged(message, fix="Move its folder away; the run in it cannot be recovered.")
