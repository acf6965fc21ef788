"""The accepted mark: how far the platform has accepted a run's journal."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Self

from holdfast import faults
from holdfast.journal.record import MAGIC

_SLOT = struct.Struct("<QQQIB")
_CRC = struct.Struct("<I")
_SLOT_BYTES = 64


class DeliveryState(IntEnum):
    """Where a run's delivery stands."""

    OPEN = 0  # there are, or will be, events to deliver
    COMPLETE = 1  # the platform has accepted how the run ended
    REFUSED = 2  # the platform will not take the end of this run; the journal says why
    RETURNED = 3  # the run was given back before any code of its author ran
    ENDING = 4  # as OPEN; how the run ended was sent, and may have been accepted

    @property
    def over(self) -> bool:
        """Whether nothing is to be delivered any more."""
        return self not in (DeliveryState.OPEN, DeliveryState.ENDING)


@dataclass(frozen=True, slots=True)
class Position:
    """Everything up to `sequence`, ending at `offset` of the file, has been accepted.

    Of the record behind it, the first `part` events have been accepted too.
    """

    sequence: int = 0
    offset: int = len(MAGIC)
    part: int = 0
    delivery: DeliveryState = DeliveryState.OPEN


class Mark:
    """The file that keeps a Position: two slots written in turn, each with a checksum.

    A kill at any instant leaves the old or the new position. Moves are not synced one by one: a
    power cut may take back the last ones, which makes the worker repeat events, never skip any.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._turn = 0
        self.position = Position()
        for slot in (0, 1):
            found = _unpack(os.pread(self._file, _SLOT_BYTES, slot * _SLOT_BYTES))
            if found is not None and found[0] > self._turn:
                self._turn, self.position = found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def move(self, position: Position, *, sync: bool = False) -> None:
        """Keep a new position; it never goes back."""
        old = self.position
        if (position.sequence, position.part) < (old.sequence, old.part):
            message = f"mark would go back from {old} to {position}"
            raise ValueError(message)
        faults.point("journal.mark")
        turn = self._turn + 1
        fields = (position.sequence, position.offset, position.part, position.delivery)
        data = _SLOT.pack(turn, *fields)
        data += _CRC.pack(zlib.crc32(data))
        os.pwrite(self._file, data, (turn % 2) * _SLOT_BYTES)
        self._turn = turn  # a write that failed is made again over itself, not over the other
        if sync:
            os.fdatasync(self._file)
        self.position = position

    def close_delivery(self, delivery: DeliveryState) -> None:
        """The run's delivery has come to its end; synced."""
        self.move(replace(self.position, delivery=delivery), sync=True)

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _unpack(data: bytes) -> tuple[int, Position] | None:
    if len(data) < _SLOT.size + _CRC.size:
        return None
    body = data[: _SLOT.size]
    if _CRC.unpack_from(data, _SLOT.size)[0] != zlib.crc32(body):
        return None
    turn, sequence, offset, part, delivery = _SLOT.unpack(body)
    return turn, Position(sequence, offset, part, DeliveryState(delivery))
