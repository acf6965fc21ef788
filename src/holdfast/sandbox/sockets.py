"""What the kernel keeps for the sockets of processes: what came and nobody has read, and what
waits to be sent.

Which sockets a process has stands in its folder of descriptors, by their inodes. The kernel tells
of all sockets of a network namespace: with the memory that each takes (sock_diag(7)) or, where it
does not know that, in lists of the bytes that are queued.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from holdfast.sandbox import processes

_SOCK_DIAG, _BY_FAMILY, _REQUEST_DUMP = 4, 20, 0x301
_ERROR, _DONE = 2, 3
#: A message with its length and kind; an attribute with the same; the memory of a socket.
_REQUEST, _MESSAGE, _ATTRIBUTE, _MEMORY = map(struct.Struct, ("=IHHII", "=IH", "=HH", "=9I"))
_NUMBER, _ERRNO = struct.Struct("=I"), struct.Struct("=i")
#: Received, being sent, waiting to be sent, options, received while it was busy.
_RECEIVED, _SENDING, _UNSENT, _OPTIONS, _BACKLOG = 0, 2, 5, 6, 7
#: A bit for each state. Not for what only waits for its number to be forgotten: a run can make
#: tens of thousands of these, and none holds a byte.
_STATES = 0xFFF & ~(1 << 6)
#: Of Unix sockets: who is at the other end, what can be read, memory.
_PEER, _QUEUES, _SHOWN = 2, 4, 0x04 | 0x10 | 0x20
_PIECE = 1 << 16
#: Columns of `tx_queue:rx_queue` in a list, in hexadecimal, and of the inode.
_COLUMN_QUEUES, _COLUMN_INODE = 4, 9


class _Kind(NamedTuple):
    """One kind of socket: how it is asked for, and where a message has what."""

    request: bytes
    inode: int
    attributes: int
    memory: int  # number of this attribute
    list: str | None  # where such sockets stand in /proc/PID/net


def _internet(family: int, protocol: int, listed: str) -> _Kind:
    asked = struct.pack("=BBBxI48x", family, protocol, 1 << (7 - 1), _STATES)
    return _Kind(asked, 84, 88, 7, listed)


_KINDS = (
    _internet(socket.AF_INET, socket.IPPROTO_TCP, "tcp"),
    _internet(socket.AF_INET6, socket.IPPROTO_TCP, "tcp6"),
    _internet(socket.AF_INET, socket.IPPROTO_UDP, "udp"),
    _internet(socket.AF_INET6, socket.IPPROTO_UDP, "udp6"),
    _Kind(struct.pack("=BxxxIIIQ", socket.AF_UNIX, 0xFFF, 0, _SHOWN, 0), 20, 32, 5, None),
)


def held_bytes(pids: Iterable[int]) -> int:
    """For all sockets that these processes have; 0 where the kernel does not say."""
    own: dict[int, int] = {}
    for pid in pids:
        own |= dict.fromkeys(_inodes(pid), pid)
    if not own:
        return 0
    pid = next(iter(own.values()))  # they share one namespace
    ours = _network(pid) == _network("self")
    return sum(_held(kind, own.keys(), pid, ours=ours) for kind in _KINDS)


def _network(pid: int | str) -> str:
    """The namespace of network that a process is in; nothing where that is not told."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net")  # noqa: PTH115 - often
    except OSError:
        return ""


def _held(kind: _Kind, own: Collection[int], pid: int, *, ours: bool) -> int:
    """`ours`: they are in our namespace, the only one of which the kernel tells us."""
    if not ours:
        return _listed(kind, own, pid)
    try:
        return sum(
            _memory(kind, dict(_attributes(message, kind.attributes)), own)
            for message in _messages(kind.request)
            if _NUMBER.unpack_from(message, kind.inode)[0] in own
        )
    except OSError:  # the kernel was made without this
        return _listed(kind, own, pid)


def _listed(kind: _Kind, own: Collection[int], pid: int) -> int:
    return queued(_read(f"/proc/{pid}/net/{kind.list}"), own) if kind.list else 0


def _messages(request: bytes) -> Iterator[memoryview]:
    """Answers of the kernel, one for each socket. OSError where it does not know the question."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        length = _REQUEST.size + len(request)
        kernel.send(_REQUEST.pack(length, _BY_FAMILY, _REQUEST_DUMP, 1, 0) + request)
        while True:
            data, at = memoryview(kernel.recv(_PIECE)), 0
            while at < len(data):
                length, what = _MESSAGE.unpack_from(data, at)
                if what == _DONE:
                    return
                if what == _ERROR:
                    raise OSError(-_ERRNO.unpack_from(data, at + _REQUEST.size)[0], "sock_diag")
                yield data[at : at + length]
                at += (length + 3) & ~3


def _attributes(message: memoryview, at: int) -> Iterator[tuple[int, memoryview]]:
    while at + _ATTRIBUTE.size <= len(message):
        length, number = _ATTRIBUTE.unpack_from(message, at)
        yield number, message[at + _ATTRIBUTE.size : at + length]
        at += max(_ATTRIBUTE.size, (length + 3) & ~3)


def _memory(kind: _Kind, told: dict[int, memoryview], own: Collection[int]) -> int:
    """Of one socket."""
    memory: tuple[int, ...] = _MEMORY.unpack_from(told[kind.memory])
    total = memory[_RECEIVED] + memory[_OPTIONS] + memory[_BACKLOG]
    total += max(memory[_SENDING], memory[_UNSENT])
    if _QUEUES in told and kind.list is None:
        # What was sent is kept for the sender, but not for one who is gone or is not asked about.
        sender = _NUMBER.unpack_from(told[_PEER])[0] if _PEER in told else 0
        total += 0 if sender in own else _NUMBER.unpack_from(told[_QUEUES])[0]
    return total


def queued(text: bytes, inodes: Collection[int]) -> int:
    """Of one list: what is queued at the sockets of these inodes."""
    total = 0
    for line in text.splitlines()[1:]:
        row = line.split()
        if len(row) > _COLUMN_INODE and int(row[_COLUMN_INODE]) in inodes:
            sent, _, received = row[_COLUMN_QUEUES].partition(b":")
            total += int(sent, 16) + int(received, 16)
    return total


def _inodes(pid: int) -> Iterator[int]:
    """Of the sockets that a process has; none where it is gone or not ours to look into."""
    for path in processes.descriptors(pid):
        try:
            link = os.readlink(path)  # noqa: PTH115 - often
        except OSError:  # closed meanwhile: the others are there
            continue
        if link.startswith("socket:["):
            yield int(link[8:-1])


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - often
            return file.read()
    except OSError:
        return b""
