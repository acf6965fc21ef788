"""The keeper: a process that owns one zygote and has it fork a child for each run that asks.

It is forked from the supervisor and outlives it as long as children of its zygote run. It knows
nothing of a run: a shim sends the child's ends of its pipes, which go on to the zygote unread.
When a shim dies, its child is killed here. Standard library only.

A shim's connection: it sends `ready broker` or `ready none`, and gets `SLOT PID-OF-ZYGOTE` with
its ends of the pipes of a child that waits (`zygote/ends.py`), or `none waits`. Then it sends
`broker` or `none` with the child's ends, and gets `SLOT PID-OF-ZYGOTE`. It says `child PID`, and
keeps the connection open as long as the child lives.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from holdfast import log
from holdfast.engine.config import EngineConfig
from holdfast.engine.frames import Decoder, FromRun, ToRun, encode
from holdfast.engine.host import Host
from holdfast.engine.loop import Loop
from holdfast.engine.shim.pipes import Tail, pipe
from holdfast.engine.shim.walls import Walls, readable_roots
from holdfast.engine.zygote import kinds
from holdfast.engine.zygote.ends import FILES, close, make
from holdfast.engine.zygote.kinds import Kind
from holdfast.sandbox import folders, landlock, seccomp
from holdfast.sandbox.spawn import spawn
from holdfast.sandbox.spec import SCRATCH, Execution, Network

#: Scratch folders of a zygote: each is used by one child, so this is the number of its runs.
SLOTS = 250
#: A successor is asked for when so many are left, or after this time: children share an address
#: layout.
_LAST = 50
_AGE_SECONDS = 600.0
#: For runtime and adaptors to be loaded.
_READY_SECONDS = 60.0
#: Of the zygote itself and of children that are not in their own groups yet.
_PROCESSES = 128
#: What stands for a child's own process id in its filter.
_MARK = 0x48465A59
_ORDER = struct.Struct("=III36s")
#: Random bytes in the name of a scratch folder. Who knows the name of another's could see that
#: files are there, and take away its rights: Landlock asks nobody for that.
_NAME_BYTES = 16
#: The next child is forked when a run has ended, or so long after the last one was taken.
_SPARE_SECONDS = 0.05
#: Of input in one message.
_PIECE = 32 * 1024


class KeeperError(OSError):
    """There can be no zygote; the text says why."""


@dataclass(slots=True)
class _Child:
    """A run's child, as the keeper knows it."""

    slot: str
    pidfd: int = -1


@dataclass(frozen=True, slots=True)
class _Spare:
    """A child that waits behind its walls for a run. It knows nothing of any."""

    slot: str
    network: Network
    ends: list[int]


class Zygote:
    """The process itself. Raises OSError when it cannot be started."""

    def __init__(self, config: EngineConfig, host: Host, kind: Kind) -> None:
        self.kind = kind
        self.pid = self.used = 0
        self.slots = tuple(os.urandom(_NAME_BYTES).hex() for _ in range(SLOTS))
        self.began = time.monotonic()
        name = f"zygote-{kind.name[:8]}-{os.getpid()}"
        self.scratch = config.data / "scratch" / name
        self.group = host.groups.create(name, kind.limits.memory_bytes)
        if not self.group.limit_processes(_PROCESSES):
            self.group.remove()
            message = "the number of a run's processes cannot be limited"
            raise KeeperError(message)
        roots = readable_roots({"adaptors": kind.adaptors})
        self.walls = Walls(
            config, host, kind.limits, self.scratch, os.getpid(), Network.BROKER, roots
        )
        self._landlock = landlock.version()

    def start(self) -> None:
        """Start it and wait until everything is loaded."""
        self.scratch.mkdir(mode=0o700, parents=True)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        plain, error, out = pipe(), pipe(), pipe()
        spec = self.walls.zygote(self.group, self.slots)
        spec.descriptors = {0: theirs.fileno(), 1: plain[1], 2: error[1], 3: out[1]}
        try:
            started = spawn(spec)
        finally:
            theirs.close()
            for ends in (plain, error, out):
                os.close(ends[1])
        if started.broker is not None:
            os.close(started.broker)  # with it goes all that a filter of a child's own asks about
        self.pid, self.pidfd = started.pid, started.pidfd
        self.plain, self.error, self._out = plain[0], error[0], out[0]
        self._wait_ready()
        self.tell(encode(ToRun.OPTIONS, json.dumps(self.kind.options).encode()))
        self._wait_ready()

    def tell(self, data: bytes) -> None:
        """Send the program bytes of its input."""
        for start in range(0, len(data), _PIECE):
            self.control.send(b"D" + data[start : start + _PIECE])

    def fork(self, files: list[int], network: Network) -> str:
        """Have a child forked; returns its slot. OSError when there is none left."""
        if self.used >= SLOTS:
            message = "its runs are used up"
            raise KeeperError(message)
        slot = self.slots[self.used]
        self.used += 1
        code = seccomp.binary(network, _MARK, Execution.NEVER)
        order = _ORDER.pack(_MARK, network is Network.BROKER, self._landlock, slot.encode())
        socket.send_fds(self.control, [b"F" + order + code], files)
        return slot

    def clear(self, slot: str) -> None:
        """Take away what a child has left in its scratch folder, which nobody uses again."""
        with suppress(OSError):  # the zygote's end takes it away at the latest
            folders.clear(Path(f"/proc/{self.pid}/root{SCRATCH}/{slot}"))

    @property
    def old(self) -> bool:
        """Whether a successor is to be made."""
        return self.used >= SLOTS - _LAST or time.monotonic() - self.began > _AGE_SECONDS

    def end(self) -> None:
        """End it, and all its children with it, and give back what it held."""
        self.group.kill()
        if self.pid:
            with suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        self.group.remove()
        with suppress(OSError):  # the supervisor's next look around tries it again
            folders.remove(self.scratch)

    def _wait_ready(self) -> None:
        decoder = Decoder()
        end = time.monotonic() + _READY_SECONDS
        waiting = select.poll()
        waiting.register(self._out, select.POLLIN)
        while waiting.poll(max(0.0, end - time.monotonic()) * 1000):
            data = os.read(self._out, 65536)
            if not data:
                words = os.read(self.error, 4096).decode(errors="replace")
                message = f"it ended while it was made ready: {words[-400:]}"
                raise KeeperError(message)
            if any(kind == FromRun.READY for kind, _ in decoder.feed(data)):
                return
        message = f"it was not ready after {_READY_SECONDS:g} s"
        raise KeeperError(message)


class Keeper:
    """Serves shims until the supervisor lets go of it and no child is left."""

    def __init__(self, config: EngineConfig, zygote: Zygote, channel: socket.socket) -> None:
        self._path = kinds.socket_path(config, zygote.kind.name)
        self._zygote = zygote
        self._channel = channel
        self._loop = Loop()
        self._children: dict[int, _Child] = {}  # by the descriptor of its shim's connection
        self._connections: dict[int, socket.socket] = {}
        self._listener: socket.socket | None = None
        self._told = False
        self._over = False
        self._spare: _Spare | None = None
        self._network = Network.BROKER  # what the last run had

        self._tails = [Tail(self._loop, zygote.plain), Tail(self._loop, zygote.error)]
        self._loop.read(zygote.pidfd, self._ended)

    def serve(self) -> None:
        """See the class."""
        self._loop.read(self._channel.fileno(), self._let_go)
        self._listen()
        self._channel.send(b"ready")
        self._prepare()
        self._age()
        while not self._over and (self._listener is not None or self._children):
            self._loop.turn()

    @property
    def last_slot(self) -> str:
        """The scratch folder of the last child that there can be."""
        return self._zygote.slots[-1]

    def lend(self) -> socket.socket:
        """A connection for a process of ours, as a shim gets it at the socket."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._add(ours)
        return theirs

    def serve_until(self, ended: int) -> None:
        """Serve whom a connection was lent to, until this handle of a process says its end."""
        over: list[int] = []
        self._loop.read(ended, lambda: over.append(ended))
        while not over and not self._over:
            self._loop.turn()
        self._loop.forget(ended)

    def _listen(self) -> None:
        """Take the place of the keeper before, if there is one."""
        temporary = Path(f"{self._path}.{os.getpid()}")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        folder = os.open(self._path.parent, os.O_PATH | os.O_CLOEXEC)
        try:  # a name that is short enough for the kernel, however deep the folder lies
            listener.bind(f"/proc/self/fd/{folder}/{temporary.name}")
        finally:
            os.close(folder)
        temporary.chmod(0o600)
        listener.listen(64)
        listener.setblocking(False)
        temporary.rename(self._path)
        self._identity: int = os.stat(self._path).st_ino  # noqa: PTH116 - of the very file
        self._listener = listener
        self._loop.read(listener.fileno(), self._accept)

    def _accept(self) -> bool:
        if self._listener is None:
            return False
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return False
        self._add(connection)
        return True

    def _add(self, connection: socket.socket) -> None:
        number = connection.fileno()
        self._connections[number] = connection
        self._loop.read(number, lambda: self._asked(number))

    def _asked(self, number: int) -> None:
        connection = self._connections[number]
        try:
            data, files, _, _ = socket.recv_fds(connection, 64, FILES, socket.MSG_CMSG_CLOEXEC)
            if number in self._children and data.startswith(b"child "):
                self._born(self._children[number], int(data[6:]))
                return
            if number not in self._children and data.startswith(b"ready "):
                self._give(number, Network(data[6:].decode()))
                return
            try:
                if len(files) == FILES and number not in self._children:
                    slot = self._zygote.fork(files, Network(data.decode()))
                    self._children[number] = _Child(slot)
                    connection.send(self._words(slot))
                    self._age()
                    return
            finally:
                close(files)
        except (OSError, ValueError) as error:
            log.error("zygote.not_forked", kind=self._zygote.kind.name, why=str(error))
        self._gone(number)

    def _words(self, slot: str) -> bytes:
        return f"{slot} {self._zygote.pid}".encode()

    def _give(self, number: int, network: Network) -> None:
        """Hand over the child that waits, if it suits."""
        connection, spare = self._connections[number], self._spare
        self._network = network
        if spare is None or spare.network is not network:
            connection.send(b"none waits")
            return
        self._spare = None
        self._children[number] = _Child(spare.slot)
        try:
            socket.send_fds(connection, [self._words(spare.slot)], spare.ends)
        finally:
            close(spare.ends)
        self._loop.after("spare", _SPARE_SECONDS, self._prepare)

    def _prepare(self) -> None:
        """Have the next run's child forked, as the last run's was."""
        if self._spare is not None or self._listener is None:
            return
        ours, theirs = make()
        try:
            slot = self._zygote.fork(theirs, self._network)
        except OSError:  # its runs are used up: the successor is on its way
            close(ours)
            return
        finally:
            close(theirs)
        self._spare = _Spare(slot, self._network, ours)
        self._age()

    def _born(self, child: _Child, pid: int) -> None:
        """Hold a handle of the child: only a child of our zygote, and only once."""
        if child.pidfd >= 0 or parent_of(pid) != self._zygote.pid:
            message = f"process {pid} is no new child of the zygote"
            raise KeeperError(message)
        child.pidfd = os.pidfd_open(pid)

    def _gone(self, number: int) -> None:
        """The shim has let go of its child, or has died: nothing of the run is to be left."""
        self._loop.forget(number)
        self._connections.pop(number).close()
        child = self._children.pop(number, None)
        if child is None:
            return
        if child.pidfd >= 0:
            with suppress(OSError):
                signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
            gone = select.poll()
            gone.register(child.pidfd, select.POLLIN)
            gone.poll(1000)
            os.close(child.pidfd)
        self._zygote.clear(child.slot)
        self._loop.after("spare", 0.0, self._prepare)

    def _age(self) -> None:
        """Ask for a successor in time."""
        if self._zygote.old and not self._told:
            self._told = True
            with suppress(OSError):
                self._channel.send(b"old")
        self._loop.after("age", _AGE_SECONDS / 10, self._age)

    def _let_go(self) -> None:
        """The supervisor wants no further runs here, or is gone."""
        self._loop.forget(self._channel.fileno())
        while self._accept():
            pass  # who came to this socket gets its child here
        if self._listener is not None:
            self._loop.forget(self._listener.fileno())
            with suppress(OSError):
                if os.stat(self._path).st_ino == self._identity:  # noqa: PTH116
                    self._path.unlink()
            self._listener.close()
            self._listener = None
        if self._spare is not None:
            close(self._spare.ends)  # which ends it
            self._spare = None
        for number in [one for one in self._connections if one not in self._children]:
            self._asked(number)

    def _ended(self) -> None:
        log.error("zygote.ended", kind=self._zygote.kind.name, words=self._tails[1].text()[-400:])
        self._over = True


def keep(config: EngineConfig, host: Host, name: str, channel: socket.socket) -> None:
    """Make a zygote for the kind of this name, try it out, and serve. `channel`: the supervisor's.

    Says `unfit` and why when there can be none.
    """
    from holdfast.engine.zygote.trial import try_out  # noqa: PLC0415 - it uses this module

    kind = kinds.read(config, name)
    if kind is None:
        return
    try:
        zygote = Zygote(config, host, kind)
    except OSError as error:
        with suppress(OSError):  # the supervisor may be gone
            channel.send(f"unfit {error}".encode()[:4000])
        return
    try:
        zygote.start()
        keeper = Keeper(config, zygote, channel)
        try_out(keeper, host, kind.limits)
        kinds.served(config, kind)
        keeper.serve()
    except OSError as error:
        channel.send(f"unfit {error}".encode()[:4000])
    finally:
        zygote.end()


def parent_of(pid: int) -> int | None:
    """The parent of a process, as this process sees it; None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[1])
