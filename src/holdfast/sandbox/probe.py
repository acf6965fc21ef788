"""What this host grants: every layer is tried for real, in a process of its own."""

from __future__ import annotations

import errno
import os
import resource
import select
import shutil
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from holdfast.sandbox import broker_process, landlock, seccomp
from holdfast.sandbox.egress import Policy
from holdfast.sandbox.groups import Sampling
from holdfast.sandbox.spawn import SpawnError, spawn
from holdfast.sandbox.spec import NO_DUMP, Layer, Network, Spec

#: Users of runs: high numbers that no system gives to people or services.
FIRST_USER = 2_000_000_000
_ANSWER_MS = 5000
_SMALL = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Grants:
    """Layers that work here, and for the others what stands against them."""

    layers: frozenset[Layer]
    missing: dict[Layer, str]

    def without(self, names: frozenset[str]) -> Grants:
        """Leave out layers by name (tests, or a person's wish)."""
        off = {layer: "switched off" for layer in self.layers if layer.value in names}
        return Grants(self.layers.difference(off), {**self.missing, **off})


_BASE = frozenset({Layer.CLEAN})
_UNPRIVILEGED = _BASE | {Layer.NO_NEW_PRIVILEGES}


def probe() -> Grants:
    """Try all layers; takes some tens of milliseconds. Must be called by a single thread."""
    tries: dict[Layer, Callable[[], str]] = {
        Layer.CLEAN: lambda: _start(_BASE),
        Layer.RLIMITS: lambda: _start(_BASE | {Layer.RLIMITS}),
        Layer.NO_NEW_PRIVILEGES: lambda: _start(_UNPRIVILEGED),
        Layer.NAMESPACES: lambda: _start(_UNPRIVILEGED | {Layer.NAMESPACES}),
        Layer.NETWORK: lambda: _start(_UNPRIVILEGED | {Layer.NETWORK}),
        Layer.UID: _try_user,
        Layer.LANDLOCK: _try_landlock,
        Layer.SECCOMP: _try_seccomp,
        Layer.EGRESS: _try_broker,
        Layer.NODE: lambda: "",  # part of the Node.js that comes with us
    }
    problems = {layer: attempt() for layer, attempt in tries.items()}
    missing = {layer: problem for layer, problem in problems.items() if problem}
    # not `- missing.keys()`, which makes a set that whoever narrows it would change for all
    return Grants(frozenset(Layer).difference(missing), missing)


def _start(
    layers: frozenset[Layer],
    call: Callable[[], None] = lambda: None,
    *,
    network: Network = Network.OPEN,
    serve: Callable[[int, int], None] = lambda _broker, _pidfd: None,
) -> str:
    """Run `call` inside these layers; what went wrong, or nothing."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-probe-"))
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    spec = Spec(
        Sampling(),
        dict.fromkeys(range(4), null),
        call=call,
        scratch=folder,
        scratch_bytes=_SMALL,
        rlimits={resource.RLIMIT_CORE: NO_DUMP},
        layers=layers,
        user=FIRST_USER,
        network=network,
    )
    try:
        started = spawn(spec)
        if started.broker is not None:
            serve(started.broker, started.pidfd)
            os.close(started.broker)
        os.close(started.pidfd)
        _, status = os.waitpid(started.pid, 0)
    except SpawnError as error:
        return str(error)
    finally:
        os.close(null)
        shutil.rmtree(folder, ignore_errors=True)
    return "" if status == 0 else f"it does not hold (status {status})"


def _try_user() -> str:
    if os.geteuid() != 0:
        return "only root can give each run a user of its own"
    return _start(_UNPRIVILEGED | {Layer.UID}, _expect_user)


def _expect_user() -> None:
    assert os.getuid() == FIRST_USER


def _try_landlock() -> str:
    if landlock.version() == 0:
        return "this kernel has no Landlock (Linux 5.13), or it is switched off at boot"
    return _start(_UNPRIVILEGED | {Layer.LANDLOCK}, _expect_no_files)


def _expect_no_files() -> None:
    try:
        os.listdir("/")  # noqa: PTH208 - names are not wanted
    except PermissionError:
        return
    raise AssertionError


def _try_seccomp() -> str:
    if not seccomp.available():
        return "there is no table of system calls for this machine's architecture"
    return _start(_UNPRIVILEGED | {Layer.SECCOMP}, _expect_no_fork)


def _expect_no_fork() -> None:
    try:
        os.fork()
    except PermissionError:
        return
    raise AssertionError


def _try_broker() -> str:
    if not seccomp.available():
        return "there is no table of system calls for this machine's architecture"
    layers = _UNPRIVILEGED | {Layer.SECCOMP, Layer.EGRESS}
    return _start(layers, _expect_connection, network=Network.BROKER, serve=_allow_one)


def _expect_connection() -> None:
    """A refusal could have many causes; that somebody else made the connection, only one."""
    with socket.socket() as attempt:
        attempt.setblocking(False)
        found = attempt.connect_ex(("127.0.0.1", 9))
        assert found in (0, errno.EINPROGRESS, errno.ECONNREFUSED)


def _allow_one(descriptor: int, pidfd: int) -> None:
    """From a process beside the caller, as for a run: some hosts let only ancestors look in."""
    broker = broker_process.start(descriptor, pidfd, Policy("open"))
    try:
        waiting = select.poll()
        waiting.register(pidfd, select.POLLIN)
        waiting.poll(_ANSWER_MS)
    finally:
        broker.channel.close()
        os.waitpid(broker.pid, 0)
