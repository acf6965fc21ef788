"""What the kernel keeps for the sockets of processes: bytes that came and nobody has read, and
bytes that wait to be sent.

The kernel lists all sockets of a network namespace with their inodes; which of them a process has
stands in its folder of descriptors.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

#: Lists of a network namespace, each line a socket in the same form.
_LISTS = ("tcp", "tcp6", "udp", "udp6")
#: Columns of `tx_queue:rx_queue`, in hexadecimal, and of the inode.
_QUEUES, _INODE = 4, 9


def held_bytes(pids: Iterable[int]) -> int:
    """For all sockets that these processes have; 0 where the kernel does not say."""
    own: dict[bytes, int] = {}
    for pid in pids:
        own |= dict.fromkeys(_inodes(pid), pid)
    if not own:
        return 0
    pid = next(iter(own.values()))  # they share one namespace
    return sum(queued(_read(f"/proc/{pid}/net/{name}"), own.keys()) for name in _LISTS)


def queued(text: bytes, inodes: Iterable[bytes]) -> int:
    """Of one list: what is queued at the sockets of these inodes."""
    known, total = set(inodes), 0
    for line in text.splitlines()[1:]:
        row = line.split()
        if len(row) > _INODE and row[_INODE] in known:
            sent, _, received = row[_QUEUES].partition(b":")
            total += int(sent, 16) + int(received, 16)
    return total


def _inodes(pid: int) -> list[bytes]:
    """Of the sockets that a process has; none where it is gone or not ours to look into."""
    found = []
    folder = b"/proc/%d/fd" % pid
    try:
        for name in os.listdir(folder):  # noqa: PTH208 - often
            link = os.readlink(b"%b/%b" % (folder, name))  # noqa: PTH115
            if link.startswith(b"socket:["):
                found.append(link[8:-1])
    except OSError:
        return found
    return found


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - often
            return file.read()
    except OSError:
        return b""
