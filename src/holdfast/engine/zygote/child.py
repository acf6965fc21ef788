"""A child of a zygote, as the engine of one run: asked for, checked, followed, ended."""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from holdfast.engine.config import EngineConfig
from holdfast.engine.loop import Loop
from holdfast.engine.shim.processes import Process
from holdfast.engine.zygote import kinds
from holdfast.engine.zygote.ends import FILES, close, make
from holdfast.engine.zygote.keeper import KeeperError, parent_of
from holdfast.sandbox import kernel
from holdfast.sandbox.groups import Group
from holdfast.sandbox.spec import Network, Started

#: For a keeper to answer, and for a child to be born.
_PATIENCE_SECONDS = 5.0
#: For the zygote to say how a child has ended.
_LAST_SECONDS = 5.0
_REPORT = struct.Struct("=iIQ")


class ChildProcess(Process):
    """The engine of one run. Its parent is the zygote, which tells how it has ended."""

    def __init__(
        self,
        name: str,
        loop: Loop,
        on_frame: Callable[[str, int, bytes], None],
        keeper: socket.socket,
    ) -> None:
        super().__init__(name, loop, on_frame)
        self._keeper = keeper

    def ask(
        self,
        network: Network,
        group: Group,
        on_end: Callable[[Process], None],
    ) -> str:
        """Have it forked and let it go on, inside `group`; the name of its scratch folder.

        Raises OSError.
        """
        keeper = self._keeper
        keeper.settimeout(_PATIENCE_SECONDS)
        pidfd, ends = -1, list[int]()
        hand: socket.socket | None = None
        try:
            slot, zygote, ends = _ready_made(keeper, network) or _ordered(keeper, network)
            hand = socket.socket(fileno=ends.pop())
            hand.settimeout(_PATIENCE_SECONDS)
            pid, listener = _born(hand, zygote)
            pidfd = os.pidfd_open(pid)
            keeper.send(f"child {pid}".encode())
            group.take(pid)
            broker = None
            if listener >= 0:
                broker = kernel.syscall("pidfd_getfd", pidfd, listener, 0)
                os.set_inheritable(broker, False)
            hand.send(b"go")
        except (OSError, ValueError) as failure:
            close([*ends, *((pidfd,) if pidfd >= 0 else ())])
            if hand is not None:
                hand.close()
            keeper.close()
            raise KeeperError(str(failure)) from failure
        self._hand = hand
        self._kept = ()
        self.ready = True  # its zygote was
        into, plain, error, out = ends
        self._take(Started(pid, pidfd, broker), (into, plain, error, out), on_end)
        return slot

    def kill(self) -> None:
        """As of any process; by its handle, because its number may be another's by now."""
        if self.pid and self.end is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def _status(self) -> tuple[int, int]:
        """What the zygote says; it has died itself when it says nothing."""
        self._hand.settimeout(_LAST_SECONDS)
        data = b""
        with suppress(OSError):
            data = self._hand.recv(_REPORT.size)
        self._hand.close()
        self._keeper.close()
        if len(data) != _REPORT.size:
            return signal.SIGKILL, 0
        status, _, used = _REPORT.unpack(data)
        return status, round(used / 1000)


def connect(config: EngineConfig, name: str) -> socket.socket | None:
    """A connection to the keeper of this kind; None when there is none."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    path = kinds.socket_path(config, name)
    handle = -1
    try:
        handle = os.open(path.parent, os.O_PATH | os.O_CLOEXEC)
        connection.connect(f"/proc/self/fd/{handle}/{path.name}")
    except OSError:
        connection.close()
        return None
    finally:
        if handle >= 0:
            os.close(handle)
    return connection


def _ready_made(keeper: socket.socket, network: Network) -> tuple[str, int, list[int]] | None:
    """Scratch folder, zygote and our ends of a child that waits; None where none does."""
    keeper.send(f"ready {network.value}".encode())
    words, files, _, _ = socket.recv_fds(keeper, 64, FILES, socket.MSG_CMSG_CLOEXEC)
    if len(files) != FILES:
        return None
    slot, zygote = words.decode().split()
    return slot, int(zygote), files


def _ordered(keeper: socket.socket, network: Network) -> tuple[str, int, list[int]]:
    """The same of a child that is forked now. Raises OSError, ValueError."""
    ours, theirs = make()
    try:
        socket.send_fds(keeper, [network.value.encode()], theirs)
        slot, zygote = keeper.recv(64).decode().split()
    except (OSError, ValueError):
        close(ours)
        raise
    finally:
        close(theirs)
    return slot, int(zygote), ours


def _born(hand: socket.socket, zygote: int) -> tuple[int, int]:
    """The child's process id, which the kernel says, and its listener, which the child says."""
    size = socket.CMSG_SPACE(struct.calcsize("=iII"))
    data, ancillary, _, _ = hand.recvmsg(256, size)
    words = data.decode(errors="replace")
    for level, kind, value in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            pid = struct.unpack_from("=i", value)[0]
            if words.startswith("born ") and parent_of(pid) == zygote:
                return pid, int(words[5:])
    message = f"the child was not born: {words or 'its zygote forks no more'}"
    raise KeeperError(message)
