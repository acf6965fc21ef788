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
from functools import cache
from pathlib import Path

from holdfast.sandbox import kernel
from holdfast.sandbox.spec import Network

_TABLE = Path(__file__).with_name("syscalls.txt")
_ARCHITECTURE = 0xC000003E  # AUDIT_ARCH_X86_64
_X32 = 0x40000000
_ALLOW, _NOTIFY, _KILL, _ERRNO = 0x7FFF0000, 0x7FC00000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8
#: Bytes of one instruction.
_INSTRUCTION = 8
_CLONE_THREAD, _MSG_FASTOPEN = 0x10000, 0x20000000
#: FIONBIO, FIOCLEX, FIONCLEX, FIONREAD, TCGETS, TIOCGWINSZ
_IOCTLS = (0x5421, 0x5451, 0x5450, 0x541B, 0x5401, 0x5413)
#: PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS, PR_SET_VMA
_PRCTLS = (3, 15, 16, 23, 39, 0x53564D41)


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


def program(network: Network, *, own_pid: int, may_execute: bool) -> list[tuple[int, ...]]:
    """The filter's instructions for one process."""
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
        "prctl": lambda body: _listed(body, 0, _PRCTLS, errno.EPERM),
        "prlimit": lambda body: _first_argument(body, 0, told),
        "clone": lambda body: _clone(body, told),
        "execve": lambda body: body.end(_ALLOW if may_execute else _refuse(errno.EPERM)),
        "socket": lambda body: _socket(body, network),
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


def _first_argument(body: _Program, wanted: int, otherwise: int) -> None:
    body.argument(0)
    body.equal_end(wanted, _ALLOW)
    body.end(otherwise)


def _clone(body: _Program, otherwise: int) -> None:
    """Threads only, in no new namespace. (clone3 is not listed: libc falls back to clone.)"""
    body.argument(0)
    body.any_bit_end(kernel.NAMESPACES, otherwise)
    body.any_bit_end(_CLONE_THREAD, _ALLOW)
    body.end(otherwise)


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
    body.equal_end(socket.SOCK_STREAM, _ALLOW)
    body.equal_end(socket.SOCK_DGRAM, _ALLOW)
    body.end(_refuse(errno.EPERM))


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


#: Process id of what is started in a process namespace of its own, as it sees itself.
_FIRST = 1


@cache
def _binary(network: Network, own_pid: int, may_execute: bool) -> bytes:
    code = program(network, own_pid=own_pid, may_execute=may_execute)
    return b"".join(struct.pack("=HBBI", *item) for item in code)


def prepare() -> None:
    """Make the filters of most runs, for the process that all others are forked from."""
    _binary(Network.NONE, _FIRST, may_execute=False)  # the compiler's
    for network in Network:
        _binary(network, _FIRST, may_execute=True)


def install(network: Network, *, may_execute: bool) -> int | None:
    """Filter this process from now on; the listener's descriptor where there is a broker.

    Needs `no_new_privs` (or root). OSError when the kernel refuses.
    """
    raw = _binary(network, os.getpid(), may_execute=may_execute)
    buffer = ctypes.create_string_buffer(raw, len(raw))
    header = struct.pack("=HxxxxxxQ", len(raw) // _INSTRUCTION, ctypes.addressof(buffer))
    flags = _NEW_LISTENER if network is Network.BROKER else 0
    result = kernel.syscall("seccomp", _SET_MODE_FILTER, flags, header)
    return result if flags else None
