"""Starts a process inside its isolation (walls): the order of steps between fork and exec.

Each step needs the rights that later ones take away, so the order matters: group and mounts
while there are rights, then the user, then limits, Landlock, descriptors, and seccomp last.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from holdfast.sandbox import kernel, landlock, notify, roots, seccomp
from holdfast.sandbox.spec import Execution, Layer, Network, Spec, Started

_LISTENER = b"listener "
#: Exit code of a process that could not build its walls.
FAILED = 120
#: Descriptors are moved above this before they are put into place.
_HIGH = 64
#: What a run in a namespace of its own takes for the name of its machine.
_HOST = "run"
#: The host's own memory killer takes runs before anything of the worker.
_OOM_SCORE = "1000"

_Step = tuple[str, Callable[[], None]]


@dataclass(frozen=True, slots=True)
class _Origin:
    """Who started the process, as seen from outside of any namespace."""

    pid: int
    user: int
    group: int


class SpawnError(OSError):
    """A process could not be started; the text names the step and the cause."""


def spawn(spec: Spec) -> Started:
    """Start the process; returns when its walls stand. Raises SpawnError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    origin = _Origin(os.getpid(), os.geteuid(), os.getegid())
    flags = _namespaces(spec, origin.user)
    seccomp.rules()  # read now: inside the walls there is no such file
    try:
        pid = kernel.clone(flags) if flags else os.fork()
    except OSError as error:
        ours.close()
        theirs.close()
        message = f"clone: {error.strerror}"
        raise SpawnError(message) from error
    if pid == 0:
        ours.close()
        _child(spec, theirs, origin)
    theirs.close()
    pidfd = os.pidfd_open(pid)
    with ours:
        broker, problem = _listen_to_child(ours, pidfd, spec)
    if problem:
        os.close(pidfd)
        if broker is not None:
            os.close(broker)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise SpawnError(problem)
    spec.group.add(pid)
    return Started(pid, pidfd, broker, _kept_files(spec, pid))


def _kept_files(spec: Spec, pid: int) -> tuple[int, ...]:
    """Handles of the files in /proc that Landlock lets a process read of itself.

    Its rules are bound to what the kernel keeps in memory of a file; where nobody holds that, it
    may be made anew, and no rule is bound to it then. A mount holds it where there are namespaces.
    """
    if Layer.LANDLOCK not in spec.layers or Layer.NAMESPACES in spec.layers:
        return ()
    with suppress(OSError):  # it is gone already
        return tuple(
            os.open(f"/proc/{pid}/{name}", os.O_PATH | os.O_CLOEXEC) for name in roots.OWN_FILES
        )
    return ()


def _listen_to_child(channel: socket.socket, pidfd: int, spec: Spec) -> tuple[int | None, str]:
    """Until the child closes its end: its broker's descriptor, and what went wrong."""
    listener: int | None = None
    while True:
        data = channel.recv(1024)
        if not data:
            break
        if not data.startswith(_LISTENER):
            return listener, data.decode(errors="replace")
        try:
            listener = kernel.syscall("pidfd_getfd", pidfd, int(data.removeprefix(_LISTENER)), 0)
            os.set_inheritable(listener, False)
            channel.send(b"taken")
            if spec.execution is Execution.ONCE and spec.call is None:
                _let_execute(listener, channel)
        except OSError as error:
            return listener, f"broker: {error}"
    if listener is not None and spec.network is not Network.BROKER:
        os.close(listener)  # with it goes every further execution
        listener = None
    return listener, ""


def _let_execute(listener: int, channel: socket.socket) -> None:
    """Let the child turn into its program, which is still our own code that asks for it."""
    waiting = select.poll()
    for descriptor in (listener, channel.fileno()):
        waiting.register(descriptor, select.POLLIN)
    if any(found == listener for found, _ in waiting.poll()):
        call = notify.receive(listener)
        if seccomp.names().get(call.number) != "execve":
            raise OSError(errno.EPERM, f"system call {call.number} before the program's start")
        notify.let_through(listener, call)


def _hand_over(listener: int, channel: socket.socket) -> None:
    """Let the parent fetch the descriptor: passing it in a message is a call it would answer."""
    channel.send(_LISTENER + str(listener).encode())
    if not channel.recv(16):
        message = "the parent does not take the descriptor"
        raise OSError(message)
    os.close(listener)


def _namespaces(spec: Spec, user: int) -> int:
    flags = 0
    if Layer.NAMESPACES in spec.layers:
        flags |= kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC
        flags |= kernel.CLONE_NEWUTS
    if Layer.NETWORK in spec.layers:
        flags |= kernel.CLONE_NEWNET
    if flags and user != 0:
        flags |= kernel.CLONE_NEWUSER
    return flags


def _child(spec: Spec, channel: socket.socket, origin: _Origin) -> NoReturn:
    step = "start"
    channel = socket.socket(fileno=_high(channel.detach()))
    try:
        for name, action in _steps(spec, origin):
            step = name
            action()
        step = "descriptors"
        _place(spec.descriptors)
        step = "seccomp"
        if Layer.SECCOMP in spec.layers:
            never = spec.call is not None
            execution = Execution.NEVER if never else spec.execution
            listener = seccomp.install(spec.network, execution, forks=bool(spec.slots))
            if listener is not None:
                _hand_over(listener, channel)
        step = "execute"
        _execute(spec)
    except BaseException as error:  # the child must never return into its parent's code
        with suppress(OSError):
            channel.send(f"{step}: {error}".encode()[:1000])
    finally:
        os._exit(FAILED)


def _steps(spec: Spec, origin: _Origin) -> Iterator[_Step]:
    layers = spec.layers
    yield "signals", _default_signals
    yield "session", os.setsid
    yield "parent", lambda: _bind_to_parent(origin.pid)
    yield "group", spec.group.join
    yield "priority", lambda: _lower_priority(spec.niceness)
    if origin.user != 0 and _namespaces(spec, origin.user):
        yield "user namespace", lambda: _map_user(origin)
    if Layer.NAMESPACES in layers:
        yield "host name", lambda: kernel.set_host_name(_HOST)
        yield "root", lambda: _enter_root(spec)
    if spec.inner_scratch is not None:
        yield "scratch", lambda: os.chdir(spec.inner_scratch or "/")
    if Layer.RLIMITS in layers:
        yield "rlimits", lambda: _limit(spec.rlimits)
    if Layer.NO_NEW_PRIVILEGES in layers:
        # Before the change of user, which takes away the right to do it.
        yield "bounding set", kernel.drop_capabilities
    if Layer.UID in layers and spec.user is not None:
        yield "user", lambda: _become(spec.user or 0)
    if Layer.NO_NEW_PRIVILEGES in layers:
        yield "capabilities", kernel.clear_capabilities
        yield "no new privileges", kernel.no_new_privileges
    if spec.network is Network.BROKER:
        yield "tracer", lambda: _let_broker_look(origin.pid)
    if Layer.LANDLOCK in layers:
        yield "landlock", lambda: _restrict_files(spec)


def _map_user(origin: _Origin) -> None:
    """In a user namespace of our own: be who we were outside."""
    user, group = origin.user, origin.group
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _enter_root(spec: Spec) -> None:
    visible = [str(path) for path in (*spec.readable, *spec.executable)]
    user = spec.user if Layer.UID in spec.layers else None
    program = spec.argv[0] if spec.argv else None
    roots.enter(
        str(spec.scratch),
        visible,
        spec.scratch_bytes,
        user,
        program,
        written=spec.written,
        slots=spec.slots,
    )


def _become(user: int) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    kernel.die_with_parent(signal.SIGKILL)  # the change of user took it back


def _let_broker_look(parent: int) -> None:
    """The broker is no ancestor of the run but a child of its parent."""
    with suppress(OSError):  # no Yama
        kernel.allow_tracer(parent)


def _restrict_files(spec: Spec) -> None:
    readable = [*map(str, spec.readable), "/dev/urandom", "/dev/random", "/dev/zero"]
    if Layer.NAMESPACES in spec.layers:
        readable.append("/proc")  # shows single files only
    else:
        readable += [f"/proc/self/{name}" for name in roots.OWN_FILES]
    scratch = spec.inner_scratch
    landlock.restrict(
        readable, map(str, spec.executable), ["/dev/null", *([scratch] if scratch else [])]
    )


def _default_signals() -> None:
    """Python ignores SIGPIPE and SIGXFSZ; what is executed would inherit that."""
    signal.set_wakeup_fd(-1)
    for number in _changed_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            with suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _changed_signals() -> Iterable[int]:
    """Signals that are ignored or caught; all where the kernel does not say."""
    try:
        # Bare calls: in a process just forked, every object touched is a page copied.
        file = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
        rows = os.read(file, 16384).split(b"\n")
        os.close(file)
        masks = [int(row[7:], 16) for row in rows if row.startswith((b"SigIgn:", b"SigCgt:"))]
        mask = masks[0] | masks[1]
    except (OSError, ValueError, IndexError):
        return signal.valid_signals()
    return [number for number in range(1, signal.NSIG) if mask >> (number - 1) & 1]


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
    """Put each descriptor at its number; everything else is closed when the program starts.

    That holds for what whoever started us has left open for all its programs, too.
    """
    kernel.close_at_execution()
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
