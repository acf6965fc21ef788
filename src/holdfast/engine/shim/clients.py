"""Who listens to a shim: the agent that launched the run, and any that connects later."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from holdfast.engine.frames import Control, Decoder, FrameError, encode
from holdfast.engine.loop import Loop

_NUMBER = struct.Struct("<Q")
#: Longest path of a Unix socket on Linux, with its closing zero.
_MAX_PATH = 107
#: A listener that reads nothing is let go when this much waits for it: the journal has it all.
_PATIENCE = 64 * 1024


class Clients:
    """Connections of agents. None of them is ever waited for."""

    def __init__(self, loop: Loop, on_cancel: Callable[[bytes], None]) -> None:
        self._loop = loop
        self._on_cancel = on_cancel
        self._listener: socket.socket | None = None
        self._path: Path | None = None
        self._connections: dict[int, _Connection] = {}
        self._progress = 0

    def listen(self, path: Path) -> None:
        """Open the run's control socket."""
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _short_name(path) as name:
            listener.bind(name)
        path.chmod(0o600)
        listener.listen(4)
        listener.setblocking(False)
        self._listener, self._path = listener, path
        self._loop.read(listener.fileno(), self._accept)

    def add(self, connection: socket.socket) -> None:
        """Serve a connection that is there already."""
        connection.setblocking(False)
        entry = _Connection(self._loop, connection, self._on_cancel, self._drop)
        self._connections[entry.number] = entry
        if self._progress:
            entry.send(encode(Control.PROGRESS, _NUMBER.pack(self._progress)))

    def tell(self, kind: Control, body: bytes) -> None:
        """Send a frame to everybody."""
        for entry in list(self._connections.values()):
            entry.send(encode(kind, body))

    def progress(self, sequence: int) -> None:
        """Records up to this one are durable."""
        if sequence > self._progress:
            self._progress = sequence
            self.tell(Control.PROGRESS, _NUMBER.pack(sequence))

    def ended(self, sequence: int) -> None:
        """The outcome is durable: tell everybody and let go."""
        if self._listener is not None:
            self._loop.forget(self._listener.fileno())
            self._listener.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self.tell(Control.ENDED, _NUMBER.pack(sequence))
        for entry in list(self._connections.values()):
            entry.finish()

    def _accept(self) -> None:
        assert self._listener is not None
        with suppress(OSError):
            self.add(self._listener.accept()[0])

    def _drop(self, number: int) -> None:
        self._connections.pop(number, None)


class _Connection:
    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        on_cancel: Callable[[bytes], None],
        on_gone: Callable[[int], None],
    ) -> None:
        self.number = connection.fileno()
        self._loop = loop
        self._socket = connection
        self._decoder = Decoder(max_body=64 * 1024)
        self._waiting = bytearray()
        self._on_cancel = on_cancel
        self._on_gone = on_gone
        loop.read(self.number, self._readable)

    def send(self, data: bytes) -> None:
        self._waiting += data
        if len(self._waiting) > _PATIENCE:
            self._close()
        else:
            self._writable()

    def finish(self) -> None:
        """Give what waits a last chance, then close."""
        if self._waiting:
            with suppress(OSError):
                self._socket.settimeout(1.0)
                self._socket.sendall(self._waiting)
        self._close()

    def _writable(self) -> None:
        try:
            done = self._socket.send(self._waiting) if self._waiting else 0
        except BlockingIOError:
            done = 0
        except OSError:
            self._close()
            return
        del self._waiting[:done]
        self._loop.write(self.number, self._writable if self._waiting else None)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(64 * 1024)
            for kind, body in self._decoder.feed(data):
                if kind == Control.CANCEL:
                    self._on_cancel(body)
        except BlockingIOError:
            return
        except (OSError, FrameError):
            data = b""
        if not data:
            self._close()

    def _close(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.forget(self.number)
            self._socket.close()
            self._on_gone(self.number)


class _short_name:  # noqa: N801 - reads as the function it stands for
    """A name for a Unix socket that is short enough, however deep its folder lies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = -1

    def __enter__(self) -> str:
        if len(os.fsencode(self._path)) < _MAX_PATH:
            return str(self._path)
        self._folder = os.open(self._path.parent, os.O_PATH | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._folder}/{self._path.name}"

    def __exit__(self, *_: object) -> None:
        if self._folder >= 0:
            os.close(self._folder)
