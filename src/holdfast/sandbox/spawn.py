"""Starting a process inside its walls: the order of steps between fork and exec.

Each step needs the rights that later ones take away, so the order matters: group and mounts
while there are rights, then the user, then limits, Landlock, descriptors, and seccomp last.
"""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from holdfast.sandbox import kernel
from holdfast.sandbox.spec import Layer, Spec, Started

#: Exit code of a process that could not build its walls.
FAILED = 120
#: Descriptors are moved above this before they are put into place.
_HIGH = 64
#: The host's own memory killer takes runs before anything of the worker.
_OOM_SCORE = "1000"

_Step = tuple[str, Callable[[], None]]


class SpawnError(OSError):
    """A process could not be started; the text names the step and the cause."""


def spawn(spec: Spec) -> Started:
    """Start the process; returns when its walls stand. Raises SpawnError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _child(spec, theirs, parent)
    theirs.close()
    with ours:
        problem = ours.recv(1024)
    if problem:
        os.waitpid(pid, 0)
        raise SpawnError(problem.decode(errors="replace"))
    spec.group.add(pid)
    return Started(pid, os.pidfd_open(pid))


def _child(spec: Spec, channel: socket.socket, parent: int) -> NoReturn:
    step = "start"
    channel = socket.socket(fileno=_high(channel.detach()))
    try:
        for name, action in _steps(spec, parent):
            step = name
            action()
        step = "descriptors"
        _place(spec.descriptors)
        step = "execute"
        _execute(spec)
    except BaseException as error:  # the child must never return into its parent's code
        with suppress(OSError):
            channel.send(f"{step}: {error}".encode()[:1000])
    finally:
        os._exit(FAILED)


def _steps(spec: Spec, parent: int) -> Iterator[_Step]:
    yield "signals", _default_signals
    yield "session", os.setsid
    yield "parent", lambda: _bind_to_parent(parent)
    yield "group", spec.group.join
    yield "priority", lambda: _lower_priority(spec.niceness)
    if Layer.RLIMITS in spec.layers:
        yield "rlimits", lambda: _limit(spec.rlimits)
    if Layer.NO_NEW_PRIVILEGES in spec.layers:
        yield "no new privileges", kernel.no_new_privileges


def _default_signals() -> None:
    """Python ignores SIGPIPE and SIGXFSZ; what is executed would inherit that."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            with suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _bind_to_parent(parent: int) -> None:
    kernel.die_with_parent(signal.SIGKILL)
    if os.getppid() not in (parent, 0):  # 0: it lives outside our process namespace
        message = "the parent died"
        raise OSError(message)


def _lower_priority(niceness: int) -> None:
    if niceness:
        os.nice(niceness)
    with suppress(OSError):  # /proc may be read-only in a container
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)


def _limit(rlimits: dict[int, int]) -> None:
    for what, wanted in rlimits.items():
        hard = resource.getrlimit(what)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(what, (value, value))


def _place(descriptors: dict[int, int]) -> None:
    """Put each descriptor at its number; everything else is closed when the program starts."""
    moved = {target: _high(source) for target, source in descriptors.items()}
    for target, source in moved.items():
        os.dup2(source, target, inheritable=True)


def _high(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH)


def _execute(spec: Spec) -> None:
    if spec.call is None:
        os.execve(spec.argv[0], spec.argv, spec.environment)  # noqa: S606 - no shell is wanted
    os.environ.clear()
    os.environ.update(spec.environment)
    kernel.close_descriptors(max(spec.descriptors) + 1)  # the channel too: we have started
    code = 1
    try:
        spec.call()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
