"""The shim's ends of the pipes to one process: frames out, frames in, the last of its stderr."""

from __future__ import annotations

import fcntl
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from holdfast.engine.frames import CHUNK, Decoder, encode
from holdfast.engine.loop import Loop

#: The sender of an outlet is asked to pause while more bytes than this wait.
_FULL = 1024 * 1024
_LOW = 256 * 1024
_READ = 256 * 1024
#: What of a process's plain output is kept as evidence.
TAIL = 16 * 1024


def pipe() -> tuple[int, int]:
    """A pipe (read end, write end), closed on exec, with room for large documents."""
    ends = os.pipe2(os.O_CLOEXEC)
    with suppress(OSError):  # above the user's allowance: the default size works too
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, _READ)
    return ends


class Outlet:
    """Frames on their way to a process. Files are streamed, never held whole."""

    def __init__(self, loop: Loop, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._loop = loop
        self._file = descriptor
        self._waiting: deque[bytes | tuple[int, Path]] = deque()
        self._source: tuple[int, int] | None = None  # frame kind, open file
        self._partial = b""
        self._bytes = 0
        self.on_low: Callable[[], None] | None = None

    @property
    def full(self) -> bool:
        return self._bytes > _FULL

    @property
    def closed(self) -> bool:
        return self._file < 0

    def send_raw(self, data: bytes) -> None:
        """Queue bytes that are frames already."""
        if not self.closed:
            self._queue(data)

    def send(self, kind: int, body: bytes = b"") -> None:
        """Queue a frame; dropped when the process has closed its end."""
        if not self.closed:
            self._queue(encode(kind, body))

    def send_file(self, kind: int, path: Path) -> None:
        """Queue a file as frames of this kind."""
        if not self.closed:
            self._waiting.append((kind, path))
            self._loop.write(self._file, self._flush)

    def flush(self) -> None:
        """Write as much as the pipe takes now, without waiting for the loop to turn."""
        if not self.closed:
            self._flush()

    def close(self) -> None:
        """Let go of the pipe; what still waits is dropped."""
        if self._source is not None:
            os.close(self._source[1])
            self._source = None
        if self._file >= 0:
            self._loop.forget(self._file)
            os.close(self._file)
            self._file = -1
        self._waiting.clear()
        self._partial = b""
        self._bytes = 0

    def _queue(self, data: bytes) -> None:
        self._waiting.append(data)
        self._bytes += len(data)
        self._loop.write(self._file, self._flush)

    def _flush(self) -> None:
        try:
            while data := self._partial or self._next():
                done = os.write(self._file, data)
                self._bytes -= done
                self._partial = data[done:]
                if self.on_low is not None and self._bytes < _LOW:
                    self.on_low()
        except BlockingIOError:
            self._partial = data
            return
        except BrokenPipeError:
            self.close()  # how the process ended tells the rest
            return
        self._loop.write(self._file, None)

    def _next(self) -> bytes:
        """What comes after what has been written; empty when nothing waits."""
        while True:
            if self._source is not None:
                kind, file = self._source
                chunk = os.read(file, CHUNK)
                if chunk:
                    data = encode(kind, chunk)
                    self._bytes += len(data)
                    return data
                os.close(file)
                self._source = None
            if not self._waiting:
                return b""
            first = self._waiting.popleft()
            if isinstance(first, bytes):
                return first
            self._source = (first[0], os.open(first[1], os.O_RDONLY | os.O_CLOEXEC))


class Inlet:
    """Frames from a process. `on_frame` gets each one, `on_end` the end of the stream.

    FrameError of the decoder passes through to the loop's caller.
    """

    def __init__(
        self,
        loop: Loop,
        descriptor: int,
        on_frame: Callable[[int, bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        os.set_blocking(descriptor, False)
        self._loop = loop
        self._file = descriptor
        self._decoder = Decoder()
        self._read = bytearray(_READ)  # reused: a new buffer costs more than a read
        self._on_frame = on_frame
        self._on_end = on_end
        self.resume()

    @property
    def closed(self) -> bool:
        return self._file < 0

    def pause(self) -> None:
        """Leave further input in the pipe: the writer will have to wait."""
        if self._file >= 0:
            self._loop.read(self._file, None)

    def resume(self) -> None:
        """Read again."""
        if self._file >= 0:
            self._loop.read(self._file, self._readable)

    def drain(self) -> None:
        """Take what is in the pipe now, after its writer has died."""
        while self._file >= 0 and self._readable():
            pass

    def close(self) -> None:
        """Let go of the pipe."""
        if self._file >= 0:
            self._loop.forget(self._file)
            os.close(self._file)
            self._file = -1

    def _readable(self) -> bool:
        try:
            count = os.readv(self._file, [self._read])
        except BlockingIOError:
            return False
        if not count:
            self.close()
            self._on_end()
            return False
        for kind, body in self._decoder.feed(memoryview(self._read)[:count]):
            self._on_frame(kind, body)
            if self._file < 0:
                return False
        return True


class Tail:
    """Keeps the last bytes a process wrote to a plain descriptor."""

    def __init__(self, loop: Loop, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._loop = loop
        self._file = descriptor
        self._kept = bytearray()
        self.total = 0
        loop.read(descriptor, self._readable)

    def drain(self) -> None:
        """Take what is in the pipe now and let go of it."""
        while self._file >= 0 and self._readable():
            pass
        self._close()

    def text(self) -> str:
        return self._kept.decode(errors="replace")

    def _readable(self) -> bool:
        try:
            data = os.read(self._file, _READ)
        except BlockingIOError:
            return False
        if not data:
            self._close()
            return False
        self.total += len(data)
        self._kept += data
        del self._kept[:-TAIL]
        return True

    def _close(self) -> None:
        if self._file >= 0:
            self._loop.forget(self._file)
            os.close(self._file)
            self._file = -1
