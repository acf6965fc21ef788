"""seccomp's user notification: taking a system call that waits, and answering it."""

from __future__ import annotations

import errno
import fcntl
import select
import struct
from contextlib import suppress
from dataclasses import dataclass

_RECEIVE, _ANSWER, _IS_VALID = 0xC0502100, 0xC0182101, 0x40082102
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_CONTINUE = 1
#: The kernel reads integers of system calls as 32 bits, whatever stands above them.
_INTEGER = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that waits for an answer. `pid` as this process sees it."""

    ident: int
    pid: int
    number: int
    arguments: tuple[int, ...]

    def integer(self, index: int) -> int:
        """An argument as the kernel reads an unsigned int."""
        return self.arguments[index] & _INTEGER


def receive(listener: int) -> Call:
    """The next call; waits for one. OSError: ENOENT when its caller died meanwhile."""
    buffer = bytearray(_NOTIFICATION.size)
    fcntl.ioctl(listener, _RECEIVE, buffer)
    ident, pid, _, number, _, _, *arguments = _NOTIFICATION.unpack(buffer)
    return Call(ident, pid, number, tuple(arguments))


def answer(listener: int, call: Call, result: int) -> None:
    """Let the call end with a value, or with an error where `result` is below zero."""
    value, error = (result, 0) if result >= 0 else (0, result)
    with suppress(OSError):  # the caller died meanwhile
        fcntl.ioctl(listener, _ANSWER, struct.pack("=QqiI", call.ident, value, error, 0))


def let_through(listener: int, call: Call) -> None:
    """Let the kernel do the call. Only for code of our own: arguments may change until then."""
    fcntl.ioctl(listener, _ANSWER, struct.pack("=QqiI", call.ident, 0, 0, _CONTINUE))


def check_valid(listener: int, call: Call) -> None:
    """OSError when the caller is gone: its process id may be a stranger's by now."""
    fcntl.ioctl(listener, _IS_VALID, struct.pack("=Q", call.ident))


def is_passing(error: OSError) -> bool:
    """Whether `receive` may find a call the next time."""
    return error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN)


def is_deserted(listener: int) -> bool:
    """Whether nobody is left who could call: the descriptor would be readable ever after."""
    poll = select.poll()
    poll.register(listener, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))
