"""`make kernel`: tests on a kernel of their own, with control groups of version 2.

Hosts of today have version 2, machines that run tests often still version 1, and one process
cannot bring its own. So this starts Debian's kernel in an emulator (qemu, no /dev/kvm needed),
with this machine's files beneath and its own memory above them: nothing that runs there changes
anything here. It is some ten times slower than here; the tests of walls, control groups,
endings and zygotes take about half an hour.
"""

from __future__ import annotations

import gzip
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ensure_system import install

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ["qemu-system-x86", "linux-image-amd64", "busybox-static", "cpio", "kmod"]
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
TESTS = [
    "tests/component/sandbox",
    "tests/component/attacks/test_native.py",
    "tests/component/attacks/test_broker.py",
    "tests/component/attacks/test_siblings.py",
    "tests/component/engine/test_processors.py",
    "tests/component/engine/test_outcomes.py",
    "tests/component/engine/test_memory_phases.py",
    "tests/component/engine/test_standby.py",
    "tests/component/engine/test_zygotes.py",
]
MEMORY = "6g"
#: The first process there: mounts this machine's files, then works in them.
INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mkdir -p /proc /sys /dev /host /own
$b mount -t proc none /proc; $b mount -t sysfs none /sys; $b mount -t devtmpfs none /dev
for m in $($b cat /modules/order); do $b insmod /modules/$m; done
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /host
$b mount -t tmpfs -o size=3g tmpfs /own
$b mkdir -p /own/upper /own/work /own/root
$b mount -t overlay -o lowerdir=/host,upperdir=/own/upper,workdir=/own/work overlay /own/root
cd /own/root
$b mount -t proc none proc; $b mount -t sysfs none sys; $b mount -t devtmpfs none dev
$b mkdir -p dev/shm dev/pts
$b mount -t tmpfs none dev/shm; $b mount -t devpts none dev/pts
$b mount -t cgroup2 none sys/fs/cgroup
$b ip link set lo up
$b chroot /own/root /bin/sh -c "$($b cat /command)"
echo "exit code $?"
$b poweroff -f
"""
#: Yama as on Ubuntu: only ancestors, and whom a process names, may look into it.
COMMAND = """echo 1 > /proc/sys/kernel/yama/ptrace_scope
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LANG=C.UTF-8
export HOLDFAST_TEST_SECONDS=3600
dmesg -n 1; uname -sr; cat /sys/fs/cgroup/cgroup.controllers; cd {root} && exec {command}"""


def main() -> int:
    """The exit code of pytest there; other arguments than tests go to pytest too."""
    if not all(map(shutil.which, ("qemu-system-x86_64", "cpio", "modprobe"))) or not kernels():
        print(f"==> installing: {' '.join(PACKAGES)}", flush=True)
        if (cause := install(PACKAGES)) is not None:
            print(f"    could not ({cause})", file=sys.stderr)
            return 1
    # The time limits of the tests are for real machines.
    python = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "timeout=900"]
    command = shlex.join([*python, *(sys.argv[1:] or TESTS)])
    with tempfile.TemporaryDirectory(prefix="kernel-") as folder:
        start = first_files(Path(folder), kernels()[-1], command)
        return boot(kernels()[-1], start)


def kernels() -> list[str]:
    """Versions that are installed, oldest first."""
    return sorted(path.name.removeprefix("vmlinuz-") for path in Path("/boot").glob("vmlinuz-*"))


def first_files(folder: Path, kernel: str, command: str) -> Path:
    """The archive a kernel starts with."""
    tree = folder / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "modules").mkdir()
    shutil.copy("/bin/busybox", tree / "bin")
    (tree / "init").write_text(INIT)
    (tree / "init").chmod(0o755)
    (tree / "command").write_text(COMMAND.format(root=shlex.quote(str(ROOT)), command=command))
    order: dict[str, None] = {}
    for module in MODULES:
        told = subprocess.run(
            ["modprobe", "-S", kernel, "--show-depends", module],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        for line in told.stdout.splitlines():
            word, _, path = line.partition(" ")
            if word == "insmod":
                order[Path(shutil.copy(path.strip(), tree / "modules")).name] = None
    (tree / "modules/order").write_text("\n".join(order))
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    packed = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"],
        cwd=tree, input=names.encode(), capture_output=True, check=True,
    )  # fmt: skip
    archive = folder / "initrd.gz"
    archive.write_bytes(gzip.compress(packed.stdout, 1))
    return archive


def boot(kernel: str, archive: Path) -> int:
    """Run it, show what it says, return the exit code of the command."""
    share = "local,path=/,mount_tag=host,security_model=passthrough,readonly=on,multidevs=remap"
    command = [
        "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", str(os.cpu_count() or 1),
        "-m", MEMORY, "-kernel", f"/boot/vmlinuz-{kernel}", "-initrd", str(archive),
        "-append", "console=ttyS0 quiet panic=-1 no_timer_check", "-virtfs", share,
        "-nographic", "-no-reboot", "-monitor", "none", "-serial", "stdio",
    ]  # fmt: skip
    code = 1
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace"
    ) as machine:
        assert machine.stdout is not None
        for line in machine.stdout:
            print(line, end="", flush=True)
            if line.startswith("exit code "):
                code = int(line.split()[2])
    return code


if __name__ == "__main__":
    sys.exit(main())
