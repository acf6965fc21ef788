"""The broker in a process of its own: whatever a run does to it, the shim goes on.

It is forked from the shim at the run's first call, and dies with the shim. It reports refusals
and connections over a socket (`Notice`) and receives nothing; the end of that socket ends the
broker.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from holdfast import log
from holdfast.sandbox import kernel
from holdfast.sandbox.broker import Broker
from holdfast.sandbox.egress import Policy
from holdfast.sandbox.hosts import Resolver, own_addresses
from holdfast.sandbox.tally import CONNECTION, FORBIDDEN, REACHED, Notice, Tally

#: A call of the kernel that waits this long is interrupted: another thread of the run may have
#: made a socket a waiting one, or wants its end to linger. Seconds.
_HELD_UP_SECONDS = 0.05
#: Shortest time between two reports of refusals, in milliseconds.
_TELL_MS = 100
_FIRST, _CHANNEL, _LISTENER, _PIDFD = 3, 3, 4, 5


@dataclass(frozen=True, slots=True)
class BrokerProcess:
    """A running broker. `channel` gives its notices, and ends with it."""

    pid: int
    channel: socket.socket

    def notices(self) -> list[Notice] | None:
        """The notices so far, without waiting; None if the broker is gone."""
        found: list[Notice] = []
        while True:
            try:
                data = self.channel.recv(65536)
            except BlockingIOError:
                return found
            if not data:
                return found or None
            found += [Notice(*item) for item in json.loads(data)]

    def end(self, patience_ms: int) -> bool:
        """Kill it if it still runs; whether it failed, or was killed, before its run ended.

        Only to be believed when `notices` has given None: then its exit status was set already.
        """
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        handle = os.pidfd_open(self.pid)
        try:
            ending = select.poll()
            ending.register(handle, select.POLLIN)
            return bool(ending.poll(patience_ms)) and os.waitpid(self.pid, 0)[1] != 0
        finally:
            os.close(handle)


def start(listener: int, pidfd: int, policy: Policy, scratch: Path | None = None) -> BrokerProcess:
    """Fork a broker for the calls on `listener`. Raises OSError.

    `scratch`: the run's, where it is no file system of its own.

    The caller then closes its own `listener`, so that the broker has the only one.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        raise
    if pid == 0:
        _become(
            parent,
            (theirs.detach(), listener, pidfd),
            lambda channel: _serve(channel, policy, scratch),
        )
    theirs.close()
    ours.setblocking(False)
    return BrokerProcess(pid, ours)


def _become(
    parent: int, descriptors: tuple[int, int, int], serve: Callable[[socket.socket], None]
) -> NoReturn:
    """In the child: close everything of the shim, then serve."""
    status = 1
    try:
        kernel.die_with_parent(signal.SIGKILL)
        if os.getppid() == parent:
            kernel.keep_descriptors(_FIRST, descriptors)
            kernel.keep_capability(kernel.CAP_SYS_PTRACE)
            # Only the end of the process closes it: who hears that finds the exit status set.
            channel = socket.socket(fileno=_CHANNEL)
            serve(channel)
        status = 0
    except BaseException as error:
        # The run's calls are refused from now on; the shim sees the end of the channel.
        log.failure("broker.failed", error, pid=os.getpid())
    finally:
        os._exit(status)


def _serve(channel: socket.socket, policy: Policy, scratch: Path | None) -> None:
    """Answer calls until the shim or the run is gone."""
    resolver = Resolver(policy.hosts)
    resolver.refresh()
    tally = Tally()
    broker = Broker(
        _LISTENER,
        _PIDFD,
        _current(policy),
        resolver,
        lambda refused: tally.count(CONNECTION, refused, refused.partition(" ")[2]),  # its rule
        on_forbidden=lambda name: tally.count(FORBIDDEN, name, name),
        scratch=scratch,
        on_reached=lambda address: tally.count(REACHED, address),
    )
    waiting = select.poll()
    for descriptor in (_CHANNEL, _LISTENER, resolver.descriptor):
        waiting.register(descriptor, select.POLLIN)
    going = True
    while going:
        ready = {item for item, _ in waiting.poll(_TELL_MS if tally.waiting else None)}
        if _LISTENER in ready:
            with _never_held_up():
                going = broker.handle()
        if resolver.descriptor in ready:
            resolver.take()
            with _never_held_up():
                broker.names_known()
        going = going and _CHANNEL not in ready
        if tally.waiting and (tally.due(_TELL_MS) or not going):
            _tell(channel, tally)


def _current(policy: Policy) -> Policy:
    """The policy with the addresses that this machine has now, added to those it had."""
    within = None if policy.within is None else _current(policy.within)
    own = policy.own_addresses | own_addresses()
    return replace(policy, own_addresses=own, within=within)


def _tell(channel: socket.socket, tally: Tally) -> None:
    """Send the counts; they are kept while the shim has no room for them."""
    with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
        text = json.dumps([[one.kind, one.text, one.count] for one in tally.waiting_notices()])
        channel.send(text.encode(), socket.MSG_DONTWAIT)
        tally.told()


@contextmanager
def _never_held_up() -> Iterator[None]:
    """Interrupt every long wait of a system call in the block, repeatedly."""
    handler: Callable[[int, Any], None] = lambda *_: None  # noqa: E731
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, _HELD_UP_SECONDS, _HELD_UP_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
