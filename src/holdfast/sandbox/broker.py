"""Deciding every connect() of a run outside of it, by seccomp's user notification.

The address is copied once out of the run, and the connection is made here, on a duplicate of
the run's socket: code cannot swap the address after the check, whatever it does. Messages that
carry an address of their own are sent here as well, without it. When this process dies, every
further call fails: closed, not open.

Calls that no honest job makes come here too, only to be told and refused.
"""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from holdfast.sandbox import kernel, seccomp
from holdfast.sandbox.egress import Policy
from holdfast.sandbox.hosts import Resolver

_RECEIVE, _ANSWER, _IS_VALID = 0xC0502100, 0xC0182101, 0x40082102
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_CONNECT, _SENDMSG, _SENDMMSG = 42, 46, 307
_HEADER = struct.Struct("=QI4xQQQQi4x")  # struct msghdr on x86-64
_HEADER_SIZE, _MULTI_SIZE = 56, 64
_VECTOR = struct.Struct("=QQ")
_MAX_MESSAGES, _MAX_VECTORS, _MAX_BYTES = 16, 16, 64 * 1024


@dataclass(frozen=True, slots=True)
class _Call:
    ident: int
    pid: int
    number: int
    arguments: tuple[int, ...]


class Broker:
    """Answers the calls of one process. `handle` when `descriptor` is readable."""

    def __init__(
        self,
        descriptor: int,
        pidfd: int,
        policy: Policy,
        resolver: Resolver,
        on_refused: Callable[[str], None],
        *,
        on_forbidden: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.descriptor = descriptor
        self._pidfd = pidfd
        self._policy = policy
        self._resolver = resolver
        self._on_refused = on_refused
        self._on_forbidden = on_forbidden
        self._waiting: list[_Call] = []

    def handle(self) -> bool:
        """Take one call and answer it; False when no further ones can come."""
        buffer = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(self.descriptor, _RECEIVE, buffer)
        except OSError as error:
            # ENOENT: the caller died between the event and here. Others end it.
            passing = error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN)
            return passing and not self._deserted()
        ident, pid, _, number, _, _, *arguments = _NOTIFICATION.unpack(buffer)
        self._decide(_Call(ident, pid, number, tuple(arguments)))
        return True

    def _deserted(self) -> bool:
        """Whether nobody is left who could call: the descriptor would be readable ever after."""
        poll = select.poll()
        poll.register(self.descriptor, 0)
        return any(events & select.POLLHUP for _, events in poll.poll(0))

    def names_known(self) -> None:
        """Host names have been looked up: decide what had to wait for that."""
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            self._decide(call, again=True)

    def close(self) -> None:
        """No further calls are answered."""
        os.close(self.descriptor)

    def _decide(self, call: _Call, *, again: bool = False) -> None:
        try:
            if call.number == _CONNECT:
                result = self._connect(call, again=again)
            elif call.number in (_SENDMSG, _SENDMMSG):
                result = self._send(call)
            else:
                self._on_forbidden(seccomp.names().get(call.number, str(call.number)))
                result = -errno.EPERM
        except OSError as error:
            result = -(error.errno or errno.EPERM)
        if result is not None:
            self._answer(call, result)

    def _answer(self, call: _Call, result: int) -> None:
        value, error = (result, 0) if result >= 0 else (0, result)
        with suppress(OSError):  # the caller died meanwhile
            fcntl.ioctl(
                self.descriptor, _ANSWER, struct.pack("=QqiI", call.ident, value, error, 0)
            )

    def _read(self, call: _Call, address: int, length: int) -> bytes:
        """Memory of the caller, known to be the caller's: its pid may not be another's by now."""
        data = kernel.read_memory(call.pid, address, length)
        fcntl.ioctl(self.descriptor, _IS_VALID, struct.pack("=Q", call.ident))
        return data

    def _socket(self, call: _Call) -> socket.socket:
        handle = kernel.syscall("pidfd_getfd", self._pidfd, call.arguments[0], 0)
        return socket.socket(fileno=handle)

    def _connect(self, call: _Call, *, again: bool) -> int | None:
        raw = self._read(call, call.arguments[1], min(call.arguments[2], 128))
        family, target = _target(raw)
        with self._socket(call) as theirs:
            datagram = theirs.type == socket.SOCK_DGRAM
            if family == socket.AF_UNSPEC:
                return 0 if datagram else -errno.EACCES  # libc lets go of a datagram socket so
            address = ipaddress.ip_address(target[0])
            if not self._policy.allows(address, target[1], self._resolver.known):
                if not again and self._resolver.refresh():
                    self._waiting.append(call)
                    return None
                if not datagram:  # libc tries those only to sort the addresses of a name
                    plain = getattr(address, "ipv4_mapped", None) or address
                    self._on_refused(f"{plain}:{target[1]}")
                return -errno.EACCES
            if not datagram and os.get_blocking(theirs.fileno()):
                return -errno.EWOULDBLOCK  # it would block this process too; Node never does it
            return -theirs.connect_ex(target)

    def _send(self, call: _Call) -> int:
        with self._socket(call) as theirs:
            if call.number == _SENDMSG:
                header = self._read(call, call.arguments[1], _HEADER_SIZE)
                return theirs.send(self._payload(call, header), socket.MSG_DONTWAIT)
            count = min(call.arguments[2], _MAX_MESSAGES)
            headers = self._read(call, call.arguments[1], count * _MULTI_SIZE)
            for index in range(count):
                header = headers[index * _MULTI_SIZE :][:_HEADER_SIZE]
                sent = theirs.send(self._payload(call, header), socket.MSG_DONTWAIT)
                place = call.arguments[1] + index * _MULTI_SIZE + _HEADER_SIZE
                kernel.write_memory(call.pid, place, struct.pack("=I", sent))
            return count

    def _payload(self, call: _Call, header: bytes) -> bytes:
        _, _, vectors, count, _, control, _ = _HEADER.unpack(header)
        if control or count > _MAX_VECTORS:
            raise OSError(errno.EPERM, "ancillary data")
        parts = []
        table = self._read(call, vectors, count * _VECTOR.size)
        for base, length in _VECTOR.iter_unpack(table):
            if length > _MAX_BYTES:
                raise OSError(errno.EMSGSIZE, "too long")
            parts.append(self._read(call, base, length) if length else b"")
        return b"".join(parts)


def _target(raw: bytes) -> tuple[int, tuple[str, int] | tuple[str, int, int, int]]:
    """Family and address of a struct sockaddr. OSError for what is neither IPv4 nor IPv6."""
    family = struct.unpack_from("=H", raw)[0] if len(raw) >= 2 else -1
    if family == socket.AF_UNSPEC:
        return family, ("", 0)
    if family == socket.AF_INET and len(raw) >= 8:
        return family, (socket.inet_ntop(family, raw[4:8]), struct.unpack_from("!H", raw, 2)[0])
    if family == socket.AF_INET6 and len(raw) >= 24:
        port = struct.unpack_from("!H", raw, 2)[0]
        scope = struct.unpack_from("=I", raw, 24)[0] if len(raw) >= 28 else 0
        return family, (socket.inet_ntop(family, raw[8:24]), port, 0, scope)
    raise OSError(errno.EAFNOSUPPORT, "family")
