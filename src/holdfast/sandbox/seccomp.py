"""The system call filter: `syscalls.txt` as a BPF program, deny by default.

x86-64 only, because the numbers differ elsewhere; `available` says so.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from holdfast.sandbox import kernel
from holdfast.sandbox.spec import Execution, Network

_TABLE = Path(__file__).with_name("syscalls.txt")
_ARCHITECTURE = 0xC000003E  # AUDIT_ARCH_X86_64
_X32 = 0x40000000
_ALLOW, _NOTIFY, _KILL, _ERRNO = 0x7FFF0000, 0x7FC00000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8
#: Bytes of one instruction.
_INSTRUCTION = 8
_MSG_FASTOPEN = 0x20000000
#: FIONBIO, FIOCLEX, FIONCLEX, FIONREAD, TCGETS, TIOCGWINSZ
_IOCTLS = (0x5421, 0x5451, 0x5450, 0x541B, 0x5401, 0x5413)
#: PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS, PR_SET_VMA
_PRCTLS = (3, 15, 16, 23, 39, 0x53564D41)
#: F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC, F_GETPIPE_SZ, F_GET_SEALS. Not those that
#: name an owner or a signal: with them the kernel itself signals other processes. No locks: the
#: files of adaptors are everybody's.
_FCNTLS = (0, 1, 2, 3, 1030, 1032, 1034)
_PRIO_PROCESS = 0
#: Pages of the machine's own pool: memory that nobody would count.
_MAP_HUGETLB = 0x40000
#: MADV_NORMAL to MADV_DONTNEED, _FREE, _DONTFORK, _DOFORK, _HUGEPAGE to _KEEPONFORK. Not
#: _MERGEABLE: the time of a write to a merged page tells whether another process of the machine
#: has the same one. Not _PAGEOUT: what is written out at once nobody would count.
_ADVICE = (0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19)
#: Numbers of the kernel's own clocks are below this one.
_CLOCKS = 16
_F_SETFL, _O_ASYNC = 4, 0x2000
#: What a zygote sets in a child of its own.
_PR_SET_PDEATHSIG = 1
#: Protocols of sockets. SCTP and MPTCP connect to further addresses past connect().
_PROTOCOLS = (0, socket.IPPROTO_TCP, socket.IPPROTO_UDP)
#: Options of sockets by level. Not those that send packets elsewhere than to the address that was
#: decided on (source routes, routing headers, devices), nor programs for the kernel.
_OPTIONS = {
    # SO_DEBUG to SO_DONTROUTE without the latter, SO_BROADCAST to SO_LINGER, SO_REUSEPORT,
    # SO_PASSCRED's neighbours of time-outs and low-water marks
    socket.SOL_SOCKET: (2, 6, 7, 8, 9, 10, 12, 13, 15, 18, 19, 20, 21),
    # IP_TOS, IP_TTL, IP_MTU_DISCOVER, IP_RECVERR, IP_RECVTTL
    socket.IPPROTO_IP: (1, 2, 10, 11, 12),
    # TCP_NODELAY, TCP_MAXSEG, TCP_CORK, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_SYNCNT,
    # TCP_QUICKACK, TCP_USER_TIMEOUT, TCP_NOTSENT_LOWAT
    socket.IPPROTO_TCP: (1, 2, 3, 4, 5, 6, 7, 12, 18, 25),
    # IPV6_UNICAST_HOPS, IPV6_MTU_DISCOVER, IPV6_RECVERR, IPV6_V6ONLY, IPV6_TCLASS
    socket.IPPROTO_IPV6: (16, 23, 25, 26, 67),
}
#: Process id of what is started in a process namespace of its own, as it sees itself.
_FIRST = 1
#: What libc makes threads with: CLONE_VM, _FS, _FILES, _SIGHAND and _THREAD must be there, the
#: others may be.
_THREAD_NEEDS = 0x00010F00
#: What libc forks with: CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID and SIGCHLD.
_FORK = 0x01200011
_THREAD_MAY = _THREAD_NEEDS | 0x00040000 | 0x00080000 | 0x00100000 | 0x00200000 | 0x00400000


def available() -> bool:
    """Whether there is a table for this machine."""
    return kernel.MACHINE == "x86_64"


@cache
def rules() -> tuple[tuple[int, str], ...]:
    """Number and rule of each listed call."""
    lines = [line.split() for line in _TABLE.read_text().splitlines()]
    return tuple((int(line[0]), line[2]) for line in lines if line and line[0] != "#")


@cache
def names() -> dict[int, str]:
    """The name of each listed call."""
    lines = [line.split() for line in _TABLE.read_text().splitlines()]
    return {int(line[0]): line[1] for line in lines if line and line[0] != "#"}


class _Program:
    """A small assembler. Offsets: 0 number, 4 architecture, 16 + 8n argument n."""

    def __init__(self) -> None:
        self.code: list[tuple[int, int, int, int]] = []

    def put(self, code: int, value: int, true: int = 0, false: int = 0) -> None:
        self.code.append((code, true, false, value))

    def argument(self, number: int, *, upper: bool = False) -> None:
        self.put(_LOAD, 16 + 8 * number + (4 if upper else 0))

    def end(self, action: int) -> None:
        self.put(_RETURN, action)

    def equal_end(self, value: int, action: int) -> None:
        self.put(_EQUAL, value, 0, 1)
        self.end(action)

    def any_bit_end(self, bits: int, action: int) -> None:
        self.put(_ANY_BIT, bits, 0, 1)
        self.end(action)

    def splice(self, number: int, body: _Program) -> None:
        """`body` for this system call; it must end on every path."""
        assert 0 < len(body.code) < 256
        self.put(_EQUAL, number, 0, len(body.code))
        self.code += body.code


def _refuse(number: int) -> int:
    return _ERRNO | number


def program(
    network: Network,
    *,
    own_pid: int,
    execution: Execution,
    forks: bool = False,
    own_world: bool = False,
) -> list[tuple[int, ...]]:
    """The filter's instructions for one process.

    `forks`: it is a zygote. `own_world`: it is in namespaces of its own, for mounts and names too.
    """
    whole = _Program()
    whole.put(_LOAD, 4)
    whole.put(_EQUAL, _ARCHITECTURE, 1, 0)
    whole.end(_KILL)
    whole.put(_LOAD, 0)
    whole.put(_AT_LEAST, _X32, 0, 1)
    whole.end(_KILL)
    told = _NOTIFY if network is Network.BROKER else _refuse(errno.EPERM)
    special: dict[str, Callable[[_Program], None]] = {
        "deny": lambda body: body.end(_refuse(errno.EPERM)),
        "tell": lambda body: body.end(told),
        "self": lambda body: _first_argument(body, own_pid, told),
        "ioctl": lambda body: _listed(body, 1, _IOCTLS, errno.ENOTTY),
        "prctl": lambda body: _listed(
            body, 0, (*_PRCTLS, *((_PR_SET_PDEATHSIG,) if forks else ())), errno.EPERM
        ),
        "zygote": lambda body: body.end(_ALLOW if forks else _refuse(errno.ENOSYS)),
        "prlimit": lambda body: _first_argument(body, 0, told),
        # outside a namespace of its own it tells the machine's name
        "named": lambda body: body.end(_ALLOW if own_world else _refuse(errno.EPERM)),
        "owner": lambda body: body.end(_ALLOW if own_world else _refuse(errno.EPERM)),
        "fchmod": lambda body: body.end(_ALLOW if own_world else told),
        "process": lambda body: _listed(body, 0, (0, own_pid), errno.EPERM),
        # libc takes this answer for a kernel without such a call, also for other threads
        "affinity": lambda body: _listed(body, 0, (0, own_pid), errno.ENOSYS),
        "priority": lambda body: _priority(body, own_pid),
        "clock": _clock,
        "fcntl": lambda body: _fcntl(body, told),
        "mmap": lambda body: _without_bit(body, 3, _MAP_HUGETLB, errno.ENOMEM),
        "madvise": lambda body: _listed(body, 2, _ADVICE, errno.EINVAL),
        "clone": lambda body: _clone(body, told, forks=forks),
        "execve": lambda body: body.end(_EXECUTE[execution]),
        "socket": lambda body: _socket(body, network),
        "setsockopt": _setsockopt,
        "connect": lambda body: body.end(_CONNECT[network]),
        "sendto": lambda body: _send(body, network, flags=3, address=4),
        "sendmsg": lambda body: _send(body, network, flags=2),
        "sendmmsg": lambda body: _send(body, network, flags=3),
    }
    for number, rule in rules():
        if rule != "allow":
            body = _Program()
            special[rule](body)
            whole.splice(number, body)
    for number, rule in rules():
        if rule == "allow":
            whole.equal_end(number, _ALLOW)
    whole.end(_refuse(errno.ENOSYS))
    return [tuple(item) for item in whole.code]


_EXECUTE = {
    Execution.FREE: _ALLOW,
    Execution.ONCE: _NOTIFY,
    Execution.NEVER: _refuse(errno.EPERM),
}
_CONNECT = {
    Network.OPEN: _ALLOW,
    Network.BROKER: _NOTIFY,
    Network.NONE: _refuse(errno.EPERM),
}


def _listed(body: _Program, argument: int, values: tuple[int, ...], otherwise: int) -> None:
    body.argument(argument)
    for value in values:
        body.equal_end(value, _ALLOW)
    body.end(_refuse(otherwise))


def _without_bit(body: _Program, argument: int, bit: int, otherwise: int) -> None:
    body.argument(argument)
    body.any_bit_end(bit, _refuse(otherwise))
    body.end(_ALLOW)


def _first_argument(body: _Program, wanted: int, otherwise: int) -> None:
    body.argument(0)
    body.equal_end(wanted, _ALLOW)
    body.end(otherwise)


def _priority(body: _Program, own_pid: int) -> None:
    """Of the process itself; not of groups or users."""
    inner = _Program()
    _listed(inner, 1, (0, own_pid), errno.EPERM)
    body.argument(0)
    body.splice(_PRIO_PROCESS, inner)
    body.end(_refuse(errno.EPERM))


def _clock(body: _Program) -> None:
    """Clocks of the machine and of the caller; others are numbered by processes or descriptors."""
    body.argument(0)
    body.put(_AT_LEAST, _CLOCKS, 0, 1)
    body.end(_refuse(errno.EINVAL))
    body.end(_ALLOW)


def _fcntl(body: _Program, otherwise: int) -> None:
    """Copies and flags of descriptors; never whom to signal about them."""
    body.argument(1)
    for value in _FCNTLS:
        body.equal_end(value, _ALLOW)
    body.put(_EQUAL, _F_SETFL, 1, 0)
    body.end(otherwise)
    body.argument(2)
    body.any_bit_end(_O_ASYNC, otherwise)
    body.end(_ALLOW)


def _clone(body: _Program, otherwise: int, *, forks: bool) -> None:
    """Threads as libc makes them. (clone3 is not listed: libc falls back to clone.)

    All share one table of descriptors, which is what the broker looks into.
    """
    body.argument(0)
    if forks:
        body.equal_end(_FORK, _ALLOW)
    body.any_bit_end(~_THREAD_MAY & 0xFFFFFFFF, otherwise)
    body.put(_AND, _THREAD_NEEDS)
    body.equal_end(_THREAD_NEEDS, _ALLOW)
    body.end(otherwise)


def _setsockopt(body: _Program) -> None:
    body.argument(1)
    for level, options in _OPTIONS.items():
        inner = _Program()
        _listed(inner, 2, options, errno.EPERM)
        body.splice(level, inner)
    body.end(_refuse(errno.ENOPROTOOPT))


def _socket(body: _Program, network: Network) -> None:
    """Internet sockets, streams and datagrams (names are looked up with those)."""
    if network is Network.NONE:
        body.end(_refuse(errno.EPERM))
        return
    body.argument(0)
    body.put(_EQUAL, socket.AF_INET, 2, 0)
    body.put(_EQUAL, socket.AF_INET6, 1, 0)
    body.end(_refuse(errno.EAFNOSUPPORT))
    body.argument(1)
    body.put(_AND, 0xF)
    body.put(_EQUAL, socket.SOCK_STREAM, 2, 0)
    body.put(_EQUAL, socket.SOCK_DGRAM, 1, 0)
    body.end(_refuse(errno.EPERM))
    _listed(body, 2, _PROTOCOLS, errno.EPROTONOSUPPORT)


def _send(body: _Program, network: Network, *, flags: int, address: int | None = None) -> None:
    """Nothing may name an address of its own or connect while sending, past the broker.

    An address inside a message header cannot be seen from here: see `egress.Broker`, which
    only ever connects datagram sockets itself, and the kernel then wants no address.
    """
    if network is Network.OPEN:
        body.end(_ALLOW)
        return
    if address is not None:
        for upper in (False, True):
            body.argument(address, upper=upper)
            body.put(_EQUAL, 0, 1, 0)
            body.end(_refuse(errno.EPERM))
    body.argument(flags)
    body.any_bit_end(_MSG_FASTOPEN, _refuse(errno.EPERM))
    body.end(_NOTIFY if network is Network.BROKER and address is None else _ALLOW)


@cache
def binary(
    network: Network,
    own_pid: int,
    execution: Execution,
    *,
    forks: bool = False,
    own_world: bool = True,
) -> bytes:
    """The same as the kernel takes it."""
    code = program(network, own_pid=own_pid, execution=execution, forks=forks, own_world=own_world)
    return b"".join(struct.pack("=HBBI", *item) for item in code)


def prepare() -> None:
    """Make the filters of most runs, for the process that all others are forked from."""
    made = partial(binary, forks=False, own_world=True)  # as `install` asks for them
    made(Network.NONE, _FIRST, Execution.NEVER)  # the compiler's
    for network in Network:
        for execution in (Execution.FREE, Execution.ONCE):
            made(network, _FIRST, execution)


def install(network: Network, execution: Execution, *, forks: bool = False) -> int | None:
    """Filter this process from now on; the listener's descriptor where calls need an answer.

    Needs `no_new_privs` (or root). OSError when the kernel refuses.
    """
    pid = os.getpid()
    raw = binary(network, pid, execution, forks=forks, own_world=pid == _FIRST)
    buffer = ctypes.create_string_buffer(raw, len(raw))
    header = struct.pack("=HxxxxxxQ", len(raw) // _INSTRUCTION, ctypes.addressof(buffer))
    asks = network is Network.BROKER or execution is Execution.ONCE
    flags = _NEW_LISTENER if asks else 0
    result = kernel.syscall("seccomp", _SET_MODE_FILTER, flags, header)
    return result if flags else None
