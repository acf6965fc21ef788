"""System calls that Python's standard library does not offer, through libc.

Every function raises OSError with the kernel's errno.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import platform
from collections.abc import Sequence

# PyDLL keeps the interpreter's lock across clone(), so that the child holds it too.
libc = ctypes.PyDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

MACHINE = platform.machine()
_X86 = {
    "clone": 56,
    "pivot_root": 155,
    "kcmp": 312,
    "seccomp": 317,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
}
_ARM = {
    "clone": 220,
    "pivot_root": 41,
    "kcmp": 272,
    "seccomp": 277,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
}
_COMMON = {  # one number on every architecture since Linux 5.1
    "pidfd_open": 434,
    "close_range": 436,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}
NUMBERS = {**(_ARM if MACHINE == "aarch64" else _X86), **_COMMON}

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
CLONE_NEWCGROUP = 0x2000000
#: All flags that make a new namespace, time (0x80) included.
NAMESPACES = (
    CLONE_NEWNS
    | CLONE_NEWUTS
    | CLONE_NEWIPC
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET
    | CLONE_NEWCGROUP
    | 0x80
)

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_PR_SET_PTRACER = 0x59616D61
_CAPABILITIES = 64
CAP_SYS_PTRACE = 19
_MNT_DETACH = 2
_CLOSE_RANGE_CLOEXEC = 4


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return int(result)


def syscall(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make a system call by name. Numbers pass as long, bytes as pointers."""
    given = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    return _checked(libc.syscall(ctypes.c_long(NUMBERS[name]), *given), name)


def _prctl(option: int, value: int, third: int = 0) -> None:
    zero = ctypes.c_ulong(0)
    result = libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(third), zero, zero)
    _checked(result, f"prctl {option}")


def clone(flags: int) -> int:
    """fork() with further flags (new namespaces). Returns 0 in the child."""
    zero = ctypes.c_long(0)
    number = ctypes.c_long(NUMBERS["clone"])
    result = libc.syscall(number, ctypes.c_long(flags | 17), zero, zero, zero, zero)
    return _checked(result, "clone")


def die_with_parent(signal_number: int) -> None:
    """Ask for a signal when the parent dies. A change of user takes it back: call again."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def no_new_privileges() -> None:
    """From here on no program started can gain rights. Cannot be undone."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent dies, so that none escapes being reaped."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def allow_tracer(pid: int) -> None:
    """Let a process and its descendants look into this one where Yama asks for it.

    OSError (EINVAL) where there is no Yama, or where the process is in another namespace: then
    nothing is needed, or its rights are enough.
    """
    _prctl(_PR_SET_PTRACER, pid)


def set_dumpable(yes: bool) -> None:
    """Whether others of the same user may read this process's memory."""
    _prctl(_PR_SET_DUMPABLE, int(yes))


def drop_capabilities() -> None:
    """Give up all capabilities for what is executed later (bounding and ambient set).

    Without the right to do so (an ordinary user in no namespace of its own) the bounding set stays
    as it was: such a process has none of its capabilities and cannot gain them.
    """
    for number in range(_CAPABILITIES):
        try:
            _prctl(_PR_CAPBSET_DROP, number)
        except OSError:
            break  # EINVAL: the kernel knows no further ones; EPERM: as said
    with contextlib.suppress(OSError):  # before Linux 4.3 there is no ambient set
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)


def clear_capabilities() -> None:
    """Give up all capabilities this process holds now."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    _checked(libc.capset(header, data), "capset")


def keep_capability(number: int) -> None:
    """Give up all capabilities but one, where this process holds it; nothing else is changed."""
    low = 1 << number
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    _checked(libc.capget(header, data), "capget")
    kept = data[0] & data[1] & low  # effective and permitted
    data[:] = [kept, kept, 0, 0, 0, 0]
    _checked(libc.capset(header, data), "capset")


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """mount(2)."""
    result = libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        None if kind is None else kind.encode(),
        ctypes.c_ulong(flags),
        None if data is None else data.encode(),
    )
    _checked(result, f"mount {target}")


def unmount(folder: str) -> None:
    """Take a mount away; what was bound out of it stays where it is."""
    _checked(libc.umount2(os.fsencode(folder), _MNT_DETACH), f"umount {folder}")


def set_host_name(name: str) -> None:
    """Name the host, and no domain, in a namespace of one's own for names."""
    raw = name.encode()
    _checked(libc.sethostname(raw, len(raw)), "sethostname")
    _checked(libc.setdomainname(b"(none)", len("(none)")), "setdomainname")


def change_root(folder: str) -> None:
    """Make `folder` the root of this mount namespace and let go of the old one."""
    os.chdir(folder)
    syscall("pivot_root", b".\0", b".\0")
    unmount(".")
    os.chdir("/")


def keep_descriptors(first: int, wanted: Sequence[int]) -> None:
    """Move `wanted` to `first` and the numbers after it, and close all others from there up."""
    high = max(*wanted, first + len(wanted))
    moved = [fcntl.fcntl(handle, fcntl.F_DUPFD_CLOEXEC, high + 1) for handle in wanted]
    for place, handle in enumerate(moved, first):
        os.dup2(handle, place, inheritable=False)
    close_descriptors(first + len(wanted))


def close_descriptors(first: int) -> None:
    """Close every descriptor from `first` up."""
    try:
        syscall("close_range", first, 0xFFFFFFFF, 0)
    except OSError:
        os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def close_at_execution() -> None:
    """Have every descriptor closed when this process executes a program."""
    try:
        syscall("close_range", 0, 0xFFFFFFFF, _CLOSE_RANGE_CLOEXEC)
    except OSError:  # Linux before 5.11 has no such flag
        for entry in list(os.scandir("/proc/self/fd")):
            with contextlib.suppress(OSError):  # the one that listed them
                os.set_inheritable(int(entry.name), False)


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def read_memory(pid: int, address: int, length: int) -> bytes:
    """Copy bytes out of another process."""
    buffer = ctypes.create_string_buffer(length)
    count = _move("process_vm_readv", pid, buffer, address, length)
    return buffer.raw[:count]


def write_memory(pid: int, address: int, data: bytes) -> None:
    """Copy bytes into another process."""
    buffer = ctypes.create_string_buffer(data, len(data))
    _move("process_vm_writev", pid, buffer, address, len(data))


def _move(
    name: str, pid: int, buffer: ctypes.Array[ctypes.c_char], address: int, length: int
) -> int:
    local, remote = _Vector(ctypes.addressof(buffer), length), _Vector(address, length)
    result = libc.syscall(
        ctypes.c_long(NUMBERS[name]),
        ctypes.c_long(pid),
        ctypes.byref(local),
        ctypes.c_long(1),
        ctypes.byref(remote),
        ctypes.c_long(1),
        ctypes.c_long(0),
    )
    return _checked(result, name)
