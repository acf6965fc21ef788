"""What a run writes to its shim as bytes: frames that lie about their length, in any pieces."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from fuzz.doors import run_records
from fuzz.harness import Target
from fuzz.pipeline import road
from fuzz.values import changed
from holdfast.engine.frames import MAX_BODY

LENGTHS = (0, 1, 4, 255, 256, 65535, MAX_BODY - 1, MAX_BODY, MAX_BODY + 1, 2**31, 2**32 - 1)


def make(chance: Random) -> bytes:
    """The size of the pieces, then bytes of frames of which one or another is broken."""
    frames = [run_records.make(chance)[1:] for _ in range(chance.choice((1, 2, 5)))]
    if chance.random() < 0.5:
        at = chance.randrange(len(frames) + 1)
        head = struct.pack("<IB", chance.choice(LENGTHS), chance.randrange(256))
        frames.insert(at, head + chance.randbytes(chance.choice((0, 3, 50))))
    data = b"".join(frames)
    size = chance.choice((1, 3, 7, 4096, 65535))
    return size.to_bytes(2, "little") + (changed(data, chance) if chance.random() < 0.5 else data)


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    with road(folder) as way:

        def target(data: bytes) -> int:
            size, rest = max(1, int.from_bytes(data[:2], "little")), data[2:]
            if size < 64:
                rest = rest[:4000]  # each piece is a turn of the shim's loop
            before = way.records
            pieces = (rest[at : at + size] for at in range(0, len(rest), size))
            way.drive("engine", pieces, strict=False)
            return way.records - before

        yield target
