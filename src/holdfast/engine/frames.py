"""Frames between the agent, the shim and the run process: `u32 length, u8 type, body`.

Little-endian; the length counts the body only. See `docs/engine-protocol.md` for who sends
what. Standard library only: the shim imports this.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from enum import IntEnum

from holdfast.model.errors import HoldfastError

HEADER = struct.Struct("<IB")
#: A frame from untrusted code larger than this ends its run.
MAX_BODY = 4 * 1024 * 1024
#: Large documents travel in BLOB frames of this size.
CHUNK = 256 * 1024


class ToRun(IntEnum):
    """Frames a run process receives. Bodies marked raw are passed on unread by the shim."""

    OPTIONS = 1  # JSON: run id, limits, adaptors, flags
    CREDENTIALS = 2  # JSON: step id -> configuration; never on disk
    PLAN = 3  # raw: chunk of plan.json (to the compiler) or of the compiled plan (to Node)
    MODULE = 4  # raw: chunk of one compiled step, preceded by its header
    INPUT = 5  # raw: chunk of the initial state
    GO = 6  # empty: everything has been sent; to a conductor: the step's process is gone
    VISIT = 7  # JSON: the one step that a process is for (`engine/shim/steps.py`)
    VISITED = 8  # JSON: what a step has left, to the conductor; its document follows as INPUT


class FromRun(IntEnum):
    """Frames a run process sends beside the journal kinds of `holdfast.model.record`."""

    READY = 64  # JSON: the process waits for its run
    BLOB = 65  # u32 stream number, bytes: a piece of a large document
    BLOB_END = 66  # u32 stream number
    COMPILED = 67  # the compiler is done; modules and plan have gone to the engine
    PASS = 68  # u8 frame of ToRun, bytes: for the process of the step that was asked for
    SECRETS = 69  # JSON: configurations that stand in the plan or the input
    LEFT = 70  # JSON: what a step has left
    HANDED = 71  # raw: chunk of its document
    ASK = 72  # JSON: have this step executed by a process of its own


class Control(IntEnum):
    """Frames between the agent (or a command) and a shim."""

    LAUNCH = 1  # JSON: a run, to a shim that waits for one
    CANCEL = 2  # JSON: {"reason": …}
    ACCEPTED = 10  # JSON: the shim has the run; its journal is the truth from here on
    REFUSED = 11  # JSON: {"message": …}
    PROGRESS = 12  # u64: records up to this sequence number are synced
    ENDED = 13  # u64: the same, and the last of them is the outcome


class FrameError(HoldfastError):
    """The other side sent something that is not a frame."""


def encode(kind: int, body: bytes = b"") -> bytes:
    """One frame as bytes."""
    return HEADER.pack(len(body), kind) + body


class Decoder:
    """Cuts a byte stream into frames.

    Raises FrameError when a header announces more than `max_body` bytes, before any of them
    is kept.
    """

    def __init__(self, max_body: int = MAX_BODY) -> None:
        self._buffer = bytearray()
        self._max = max_body

    def feed(self, data: bytes | memoryview) -> Generator[tuple[int, bytes], None, None]:
        """Add received bytes; yields each frame (type, body) that is complete."""
        kept = len(self._buffer) > 0
        if kept:
            self._buffer += data
        # Whole frames are taken from where they came: large documents are copied once only.
        view = memoryview(self._buffer if kept else data)
        start = 0
        try:
            while len(view) - start >= HEADER.size:
                length, kind = HEADER.unpack_from(view, start)
                if length > self._max:
                    message = f"a frame of {length} bytes was announced; {self._max} is the limit"
                    raise FrameError(message)
                end = start + HEADER.size + length
                if len(view) < end:
                    break
                body = bytes(view[start + HEADER.size : end])
                start = end
                yield kind, body
        finally:
            view.release()
            if kept:
                del self._buffer[:start]
            else:
                self._buffer += data[start:]

    @property
    def pending(self) -> int:
        """Bytes of a frame that has not ended yet."""
        return len(self._buffer)
