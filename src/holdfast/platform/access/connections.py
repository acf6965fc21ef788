"""Limits of connections, for times without a running request.

uvicorn limits how long a connection waits between two requests. It has no limit for a head that
never ends, for a body that is sent after the answer was given, and for an answer that nobody
reads. This protocol ends such connections. If there are too many connections, it ends the one that
has been sending for the longest time.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import struct
from enum import Enum

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

#: Connections at a time; half of the files that the process may open.
MOST = min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
#: Bytes of an answer that the client must have read between two looks.
_TAKEN_BYTES = 16 * 1024


class Phase(Enum):
    """What the server waits for on a connection."""

    HEAD = "the head of a request"
    #: Its limits are in `limits.py`.
    BODY = "the body of a request"
    #: The answer was given before the body had ended; the rest of the body is thrown away.
    REST = "the end of a body that nobody reads"
    NOTHING = "nothing: it is our turn"


class PatientProtocol(H11Protocol):
    """HTTP with limits. `patience` is in seconds."""

    patience = 20.0

    @classmethod
    def of(cls, seconds: float) -> type[PatientProtocol]:
        """The protocol with another patience."""
        return type("PatientProtocol", (cls,), {"patience": seconds})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # uvicorn narrows the type, too
        self.phase, self.since = Phase.NOTHING, self.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > MOST:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._enter(Phase.NOTHING)
        self._forget_reader()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """Note what the server waits for, and since when."""
        theirs, ours = self.conn.their_state, self.conn.our_state
        if self.transport.is_closing():
            phase = Phase.NOTHING
        elif theirs is h11.IDLE:
            phase = Phase.HEAD
        elif theirs is h11.SEND_BODY:
            phase = Phase.BODY if ours in {h11.IDLE, h11.SEND_RESPONSE} else Phase.REST
        else:
            phase = Phase.NOTHING
        if phase is not self.phase:
            self._enter(phase)

    def _enter(self, phase: Phase) -> None:
        self.phase, self.since = phase, self.loop.time()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waits = {Phase.HEAD: self.patience, Phase.REST: self.patience / 4}
        if (seconds := waits.get(phase)) is not None:
            self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _make_room(self) -> None:
        """End the connection that has been sending for the longest time, or else the new one."""
        sending = [
            other
            for other in self.connections
            if isinstance(other, PatientProtocol) and other.phase is not Phase.NOTHING
        ]
        min(sending, key=lambda other: other.since, default=self).transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._look_after_reader()

    def resume_writing(self) -> None:
        self._forget_reader()
        super().resume_writing()

    def _forget_reader(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def _reset(self) -> None:
        """End the connection and drop what is still to be sent, also in the kernel."""
        end = self.transport.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _look_after_reader(self, before: int | None = None) -> None:
        """Look again later; end the connection if the client has read almost nothing by then."""
        left = self.transport.get_write_buffer_size()
        if before is not None and left > before - _TAKEN_BYTES:
            self._reset()
            return
        self._reader_timer = self.loop.call_later(self.patience, self._look_after_reader, left)
