"""Decides every connect() of a run from outside, by seccomp's user notification.

The address is copied out of the run once. The connection is made here, on a duplicate of the run's
socket, so that code cannot change the address after the check. Messages with an address of their
own are sent from here, too, without it.

Everything from the run may be hostile: descriptor numbers, addresses, lengths, memory. So this
runs in a process of its own (`broker_process`), which may die or hang without harm to the shim. If
it dies, every further call fails, so nothing gets through.

Calls that no honest job makes also come here; they are reported and refused.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.sandbox import kernel, notify, seccomp
from holdfast.sandbox.egress import Policy
from holdfast.sandbox.hosts import Resolver
from holdfast.sandbox.notify import Call
from holdfast.sandbox.peer import Peer

_CONNECT, _SENDMSG, _FCHMOD, _SENDMMSG = 42, 46, 91, 307
#: Rights of a file that a run may set: not those to act as its owner.
_RIGHTS = 0o777
_HEADER = struct.Struct("=QI4xQQQQi4x")  # struct msghdr on x86-64
_HEADER_SIZE, _MULTI_SIZE = 56, 64
_VECTOR = struct.Struct("=QQ")
#: More than any question to a name server needs. Bytes of one message.
_MAX_MESSAGES, _MAX_VECTORS, _MAX_BYTES = 16, 16, 64 * 1024
_FAMILIES = (socket.AF_INET, socket.AF_INET6)


class Broker:
    """Answers the calls of one process. `handle` when `descriptor` is readable.

    `on_refused` gets address and rule with a blank between them, `on_forbidden` a call's name,
    `on_reached` the address of each connection of a stream that was begun.
    """

    def __init__(
        self,
        descriptor: int,
        pidfd: int,
        policy: Policy,
        resolver: Resolver,
        on_refused: Callable[[str], None],
        *,
        on_forbidden: Callable[[str], None] = lambda _: None,
        scratch: Path | None = None,
        on_reached: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.descriptor = descriptor
        self._pidfd = pidfd
        self._policy = policy
        self._resolver = resolver
        self._on_refused = on_refused
        self._on_forbidden = on_forbidden
        self._scratch = None if scratch is None else os.path.realpath(scratch)
        self._on_reached = on_reached
        self._waiting: list[Call] = []

    def handle(self) -> bool:
        """Take one call and answer it; False if no more can come."""
        try:
            call = notify.receive(self.descriptor)
        except OSError as error:  # the caller has died since
            return notify.is_passing(error) and not notify.is_deserted(self.descriptor)
        self._decide(call)
        return True

    def names_known(self) -> None:
        """Host names have been looked up: decide the calls that waited for them."""
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            self._decide(call, again=True)

    def close(self) -> None:
        """No further calls are answered."""
        os.close(self.descriptor)

    def _decide(self, call: Call, *, again: bool = False) -> None:
        try:
            if call.number == _CONNECT:
                result = self._connect(call, again=again)
            elif call.number in (_SENDMSG, _SENDMMSG):
                result = self._send(call)
            elif call.number == _FCHMOD and self._scratch is not None:
                result = self._change_mode(call, self._scratch)
            else:
                self._on_forbidden(seccomp.names().get(call.number, str(call.number)))
                result = -errno.EPERM
        except OSError as error:
            result = -(error.errno or errno.EPERM)
        if result is not None:
            notify.answer(self.descriptor, call, result)

    def _read(self, call: Call, address: int, length: int) -> bytes:
        """Memory of the caller, with a check that its pid is still its own."""
        if not length:
            return b""
        data = kernel.read_memory(call.pid, address, length)
        if len(data) < length:  # the next page is not mapped
            raise OSError(errno.EFAULT, "bad address")
        notify.check_valid(self.descriptor, call)
        return data

    @contextmanager
    def _socket(self, call: Call) -> Iterator[socket.socket]:
        """A duplicate of the caller's internet socket, for one call. OSError for others."""
        handle = kernel.syscall("pidfd_getfd", self._pidfd, call.integer(0), 0)
        try:
            theirs = socket.socket(fileno=handle)
        except OSError:  # a pipe, a file: no socket at all
            os.close(handle)
            raise
        with theirs:
            if theirs.family not in _FAMILIES:
                raise OSError(errno.EAFNOSUPPORT, "family")
            yield theirs

    def _connect(self, call: Call, *, again: bool) -> int | None:
        peer = Peer.parse(self._address(call))
        with self._socket(call) as theirs:
            datagram = theirs.type == socket.SOCK_DGRAM
            if peer is None:  # libc disconnects a datagram socket by a call without a family
                return 0 if datagram else -errno.EACCES
            rule = self._policy.refusal(peer.address, peer.port, self._resolver.known)
            if rule is not None:
                if not again and self._resolver.refresh():
                    self._waiting.append(call)
                    return None
                if not datagram:  # libc makes these calls only to sort the addresses of a name
                    self._on_refused(f"{peer} {rule}")
                return -errno.EACCES
            if not datagram and os.get_blocking(theirs.fileno()):
                return -errno.EWOULDBLOCK  # Node never does it, and it would hold up all others
            result = _connected(theirs.fileno(), peer)
            if not datagram and result in (0, -errno.EINPROGRESS):
                self._on_reached(str(peer))
            return result

    def _address(self, call: Call) -> bytes:
        length = call.integer(2)
        if length > Peer.LONGEST:
            raise OSError(errno.EINVAL, "length of the address")
        return self._read(call, call.arguments[1], length)

    def _change_mode(self, call: Call, scratch: str) -> int:
        """Set the mode of a file that lies in scratch, as copying a file does.

        A file cannot be moved there from elsewhere, nor can it have a second name.
        """
        handle = kernel.syscall("pidfd_getfd", self._pidfd, call.integer(0), 0)
        try:
            place = os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115 - no path object is made
            if not place.startswith(f"{scratch}/"):
                self._on_forbidden(seccomp.names()[call.number])
                return -errno.EPERM
            os.fchmod(handle, call.integer(1) & _RIGHTS)
        finally:
            os.close(handle)
        return 0

    def _send(self, call: Call) -> int:
        with self._socket(call) as theirs:
            if call.number == _SENDMSG:
                header = self._read(call, call.arguments[1], _HEADER_SIZE)
                return theirs.send(self._payload(call, header), socket.MSG_DONTWAIT)
            sent = 0
            for index in range(min(call.integer(2), _MAX_MESSAGES)):
                try:
                    self._send_one(call, theirs, call.arguments[1] + index * _MULTI_SIZE)
                except OSError:
                    if not sent:
                        raise
                    break  # as the kernel does: the next call meets the error again
                sent += 1
            return sent

    def _send_one(self, call: Call, theirs: socket.socket, place: int) -> None:
        """Send one message of several and note its length behind its header."""
        header = self._read(call, place, _HEADER_SIZE)
        count = theirs.send(self._payload(call, header), socket.MSG_DONTWAIT)
        kernel.write_memory(call.pid, place + _HEADER_SIZE, struct.pack("=I", count))

    def _payload(self, call: Call, header: bytes) -> bytes:
        _, _, vectors, count, _, control, _ = _HEADER.unpack(header)
        if control or count > _MAX_VECTORS:
            raise OSError(errno.EPERM, "ancillary data")
        parts = []
        room = _MAX_BYTES
        table = self._read(call, vectors, count * _VECTOR.size)
        for base, length in _VECTOR.iter_unpack(table):
            if length > room:
                raise OSError(errno.EMSGSIZE, "too long")
            room -= length
            parts.append(self._read(call, base, length))
        return b"".join(parts)


def _connected(handle: int, peer: Peer) -> int:
    """Connect a socket to an allowed address; the result for the caller.

    It uses the bare system call. The standard library's would wait, if another thread of the run
    has made the socket a blocking one meanwhile.
    """
    raw = peer.raw
    if kernel.libc.connect(handle, raw, len(raw)) == 0:
        return 0
    number = ctypes.get_errno()
    return -(errno.EINPROGRESS if number == errno.EINTR else number)
