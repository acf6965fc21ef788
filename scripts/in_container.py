"""`make container`: the tests of walls inside what a Kubernetes pod gives a process.

No container engine is needed. This program makes namespaces as an engine does, masks the same
files, gives up every capability, and puts the default profile of container engines around all: no
new namespaces, no mounts. `pidfd_getfd` is allowed, as by `SYS_PTRACE` in the capabilities of
`deploy/kubernetes`; `--plain` takes that away. Needs root and x86-64.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import struct
import sys
from pathlib import Path

from holdfast.sandbox import kernel

ROOT = Path(__file__).resolve().parent.parent
TESTS = [
    "tests/component/attacks/test_native.py",
    "tests/component/attacks/test_attacks.py",
    "tests/component/attacks/test_insides.py",
    "tests/component/engine/test_process_per_step.py",
]
#: Where a pod has no broker, native attacks that start programs would end the test itself.
PLAIN_TESTS = [
    "tests/component/attacks/test_insides.py",
    "tests/component/engine/test_process_per_step.py",
]
#: What the default profile of container engines refuses to a pod without capabilities.
REFUSED = {
    "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272, "setns": 308,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
    "fspick": 433, "mount_setattr": 442, "pidfd_getfd": 438, "kcmp": 312, "process_madvise": 440,
    "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "add_key": 248, "request_key": 249,
    "keyctl": 250, "sethostname": 170, "setdomainname": 171, "reboot": 169, "acct": 163,
    "name_to_handle_at": 303, "open_by_handle_at": 304, "quotactl": 179, "swapon": 167,
    "swapoff": 168, "init_module": 175, "finit_module": 313, "delete_module": 176, "iopl": 172,
    "ioperm": 173, "vhangup": 153, "syslog": 103, "settimeofday": 164, "io_uring_setup": 425,
    "io_uring_enter": 426, "io_uring_register": 427,
}  # fmt: skip
_CLONE, _CLONE3 = 56, 435
_NEW_NAMESPACES = 0x7E020000
_MASKED = (
    "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug",
)  # fmt: skip
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys")
_BIND, _RECURSIVE, _REMOUNT, _ONLY_READ, _PRIVATE = 4096, 16384, 32, 1, 1 << 18
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


def profile(allowed: list[str]) -> bytes:
    """The profile as a BPF program."""
    code: list[tuple[int, int, int, int]] = [(0x20, 0, 0, 0)]  # the call's number

    def answer(number: int, action: int) -> None:
        code.extend([(0x15, 0, 1, number), (0x06, 0, 0, action)])

    for name, number in REFUSED.items():
        if name not in allowed:
            answer(number, _ERRNO | errno.EPERM)
    answer(_CLONE3, _ERRNO | errno.ENOSYS)
    code += [
        (0x15, 0, 3, _CLONE), (0x20, 0, 0, 16), (0x45, 0, 1, _NEW_NAMESPACES),
        (0x06, 0, 0, _ERRNO | errno.EPERM), (0x06, 0, 0, _ALLOW),
    ]  # fmt: skip
    return b"".join(struct.pack("=HBBI", *item) for item in code)


def enter(allowed: list[str]) -> None:
    """Make this process, the first of its namespaces, what one in a pod is."""
    kernel.mount("none", "/", None, _RECURSIVE | _PRIVATE)
    kernel.mount("proc", "/proc", "proc", 0)
    for path in filter(os.path.exists, _READ_ONLY):
        kernel.mount(path, path, None, _BIND | _RECURSIVE)
        kernel.mount("none", path, None, _BIND | _REMOUNT | _ONLY_READ)
    for path in filter(os.path.exists, _MASKED):
        kernel.mount("/dev/null", path, None, _BIND)
    kernel.set_host_name("pod-7d9f")
    kernel.drop_capabilities()
    kernel.clear_capabilities()
    kernel.no_new_privileges()
    raw = profile(allowed)
    buffer = ctypes.create_string_buffer(raw, len(raw))
    kernel.syscall(
        "seccomp", 1, 0, struct.pack("=HxxxxxxQ", len(raw) // 8, ctypes.addressof(buffer))
    )


def main() -> int:
    """The exit code of what runs there: pytest, or a command behind `--`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plain", action="store_true", help="without SYS_PTRACE")
    parser.add_argument("tests", nargs="*")
    parser.add_argument("--command", action="store_true", help="the arguments are a command")
    given = parser.parse_args()
    tests = given.tests or (PLAIN_TESTS if given.plain else TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    if given.command:
        command = given.tests
    flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
    sys.stdout.flush()
    pid = kernel.clone(flags)
    if pid == 0:
        try:
            enter([] if given.plain else ["pidfd_getfd"])
            os.chdir(ROOT)
            # a first process must reap; this one only waits for the command
            os._exit(
                os.waitstatus_to_exitcode(
                    os.waitpid(os.spawnv(os.P_NOWAIT, command[0], command), 0)[1]
                )
            )
        except BaseException as error:
            sys.stderr.write(f"{error}\n")
        finally:
            os._exit(125)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
