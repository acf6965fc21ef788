"""Each layer alone, and the broker's emulation of what libc does to look up a name."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.sandbox import kernel, processes, seccomp
from holdfast.sandbox.broker import Broker
from holdfast.sandbox.cgroups import CgroupV2
from holdfast.sandbox.egress import Policy
from holdfast.sandbox.groups import Sampling
from holdfast.sandbox.hosts import Resolver, nameservers, own_addresses
from holdfast.sandbox.levels import Level, level_of, missing
from holdfast.sandbox.probe import Grants, probe
from holdfast.sandbox.spawn import SpawnError, spawn
from holdfast.sandbox.spec import Execution, Layer, Network, Spec

BASE = frozenset({Layer.CLEAN, Layer.NO_NEW_PRIVILEGES})


def inside(
    call: Callable[[], None],
    scratch: Path,
    *layers: Layer,
    network: Network = Network.OPEN,
    policy: Policy | None = None,
) -> int:
    """Exit code of `call` behind these layers."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    spec = Spec(
        Sampling(), {0: null, 1: null, 2: 2, 3: null}, call=call, scratch=scratch,
        layers=BASE | set(layers), network=network,
    )  # fmt: skip
    try:
        started = spawn(spec)
    finally:
        os.close(null)
    if started.broker is not None:
        serve(started.broker, started.pidfd, policy or Policy("none"))
    os.close(started.pidfd)
    return os.waitstatus_to_exitcode(os.waitpid(started.pid, 0)[1])


def serve(descriptor: int, pidfd: int, policy: Policy) -> None:
    broker = Broker(descriptor, pidfd, policy, Resolver(frozenset()), lambda _: None)
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    waiting.register(pidfd, select.POLLIN)
    while all(found != pidfd for found, _ in waiting.poll(20_000)):
        broker.handle()
    broker.close()


def names(folder: str | Path) -> list[str]:
    return [path.name for path in Path(folder).iterdir()]


def needs(layer: Layer) -> None:
    reason = probe().missing.get(layer)
    if reason:
        pytest.skip(reason)


def test_every_layer_is_granted_or_missing_with_a_reason() -> None:
    grants = probe()
    assert grants.layers | grants.missing.keys() == set(Layer)
    assert not grants.layers & grants.missing.keys()
    assert all(grants.missing.values())
    assert Layer.CLEAN in grants.layers


def test_a_clean_start(tmp_path: Path) -> None:
    def look() -> None:
        assert not os.environ
        assert sorted(map(int, names("/proc/self/fd")))[:4] == [0, 1, 2, 3]
        assert len(names("/proc/self/fd")) == 5  # and the one that lists
        assert os.getsid(0) == os.getpid()

    assert inside(look, tmp_path) == 0


def test_a_program_gets_no_descriptor_that_was_left_open_for_all() -> None:
    left, other = os.pipe()
    os.dup2(left, 251, inheritable=True)
    seen, written = os.pipe()
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    spec = Spec(
        Sampling(), {0: null, 1: written, 2: 2}, argv=("/bin/ls", "/proc/self/fd"),
        layers=BASE,
    )  # fmt: skip
    try:
        started = spawn(spec)
        os.close(written)
        os.waitpid(started.pid, 0)
        os.close(started.pidfd)
        assert os.read(seen, 4096).split() == [b"0", b"1", b"2", b"3"]  # and the one that lists
    finally:
        for descriptor in (left, other, 251, seen, null):
            os.close(descriptor)


def test_a_start_that_fails_says_where(tmp_path: Path) -> None:
    with pytest.raises(SpawnError, match="scratch"):
        inside(lambda: None, tmp_path / "not there")


def test_namespaces_show_nothing_else(tmp_path: Path) -> None:
    needs(Layer.NAMESPACES)

    def look() -> None:
        assert os.getpid() == 1
        assert set(names("/")) <= {"dev", "proc", "scratch"}
        assert [name for name in names("/proc") if name.isdigit()] == ["1"]
        Path("/scratch/file").write_text("x")
        with pytest.raises(OSError, match="Read-only"):
            Path("/file").write_text("x")

    assert inside(look, tmp_path, Layer.NAMESPACES) == 0


def test_landlock_leaves_scratch(tmp_path: Path) -> None:
    needs(Layer.LANDLOCK)

    def look() -> None:
        Path("file").write_text("x")
        for folder in (Path("/"), tmp_path.parent):
            with pytest.raises(PermissionError):
                names(folder)

    assert inside(look, tmp_path, Layer.LANDLOCK) == 0


def test_seccomp_refuses(tmp_path: Path) -> None:
    needs(Layer.SECCOMP)

    def look() -> None:
        attempts: list[Callable[[], object]] = [
            os.fork, lambda: os.kill(1, 0), lambda: socket.socket(socket.AF_UNIX),
        ]  # fmt: skip
        for attempt in attempts:
            with pytest.raises(OSError, match=r"not permitted|not supported"):
                attempt()
        with pytest.raises(OSError, match="not permitted"):
            kernel.syscall("pidfd_open", os.getpid(), 0)
        with pytest.raises(OSError, match="not implemented"):
            kernel.syscall("mount_setattr", -1, b"", 0, 0, 0)

    assert inside(look, tmp_path, Layer.SECCOMP) == 0


def test_every_rule_of_the_table_is_known() -> None:
    code = seccomp.program(Network.BROKER, own_pid=1, execution=Execution.NEVER)
    assert len(code) < 4096  # the kernel's limit
    numbers = [number for number, _ in seccomp.rules()]
    assert len(numbers) == len(set(numbers)), "a call is listed twice"


def send_many(descriptor: int, texts: list[bytes]) -> int:
    """sendmmsg(2), as libc does for its two questions."""
    buffers = [ctypes.create_string_buffer(text, len(text)) for text in texts]
    vectors = [struct.pack("=QQ", ctypes.addressof(b), len(b)) for b in buffers]
    kept = [ctypes.create_string_buffer(vector, 16) for vector in vectors]
    headers = b"".join(
        struct.pack("=QI4xQQQQi4xI4x", 0, 0, ctypes.addressof(one), 1, 0, 0, 0, 0) for one in kept
    )
    table = ctypes.create_string_buffer(headers, len(headers))
    return int(kernel.libc.sendmmsg(descriptor, table, len(texts), 0))


@pytest.mark.skipif(os.geteuid() != 0, reason="port 53 is root's")
def test_questions_to_a_name_server_go_through_the_broker(tmp_path: Path) -> None:
    needs(Layer.EGRESS)
    address = "127.9.9.53"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))
        server.settimeout(10)

        def ask() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as question:
                question.connect((address, 53))
                assert send_many(question.fileno(), [b"first", b"second"]) == 2
                assert question.sendmsg([b"th", b"ird"]) == 5
                with pytest.raises(PermissionError):
                    question.connect(("127.9.9.53", 54))

        policy = Policy("public", nameservers=frozenset({_address(address)}))
        code = inside(ask, tmp_path, Layer.SECCOMP, network=Network.BROKER, policy=policy)
        assert code == 0
        assert [server.recv(100) for _ in range(3)] == [b"first", b"second", b"third"]


def test_an_address_in_a_message_is_not_used(tmp_path: Path) -> None:
    needs(Layer.EGRESS)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        target = server.getsockname()

        def attempt() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bad:
                refused = []
                sends: list[Callable[[], int]] = [
                    lambda: bad.sendto(b"x", target),
                    lambda: bad.sendmsg([b"x"], [], 0, target),
                ]
                for send in sends:
                    with pytest.raises(OSError, match=r"not permitted|Destination") as found:
                        send()
                    refused.append(found.value.errno)
                assert set(refused) <= {errno.EPERM, errno.EDESTADDRREQ}

        assert inside(attempt, tmp_path, Layer.SECCOMP, network=Network.BROKER) == 0
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.recv(1)


def _address(text: str):  # type: ignore[no-untyped-def]
    import ipaddress

    return ipaddress.ip_address(text)


def test_levels_say_what_they_lack() -> None:
    everything = Grants(frozenset(Layer), {})
    assert level_of(everything, "cgroup-v2") is Level.FULL
    assert level_of(everything, "sampling") is Level.STRONG
    assert missing(everything, "sampling", Level.FULL) == ["memory limit by the kernel"]
    poor = everything.without(frozenset({"seccomp"}))
    assert level_of(poor, "cgroup-v2") is Level.BASIC
    assert missing(poor, "cgroup-v2", Level.STRONG) == ["seccomp"]


def test_this_machines_addresses_are_known(tmp_path: Path) -> None:
    assert _address("127.0.0.1") in own_addresses()
    file = tmp_path / "resolv.conf"
    file.write_text("# x\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\nnameserver\nsearch a\n")
    assert nameservers(file) == {_address("10.0.0.2"), _address("fe80::1")}


def test_version_two_groups_as_their_documentation_has_them(tmp_path: Path) -> None:
    """The files of version 2, as a folder: this machine may not offer the controller."""
    (tmp_path / "memory.current").write_text("4096\n")
    (tmp_path / "memory.peak").write_text("8192\n")
    (tmp_path / "memory.events").write_text("low 0\noom 1\noom_kill 3\n")
    (tmp_path / "memory.stat").write_text("anon 100\nfile 50\nshmem 20\n")
    (tmp_path / "cgroup.procs").write_text("")
    group = CgroupV2({"memory": tmp_path, "pids": tmp_path})
    group.set_limit(1 << 20)
    assert (tmp_path / "memory.max").read_text() == "1048576"
    assert (tmp_path / "memory.swap.max").read_text() == "0"
    assert (tmp_path / "memory.oom.group").read_text() == "1"
    assert (group.usage(), group.peak(), group.oom_kills()) == (4096, 8192, 3)
    assert group.unreclaimable() == 120
    (tmp_path / "cgroup.threads").write_text("1\n2\n3\n")
    assert group.limit_processes(7)
    assert group.threads(9) == 0, "the kernel limits them"
    without = CgroupV2({"memory": tmp_path})
    assert not without.limit_processes(7)
    assert without.threads(9) == 3
    group.kill()
    assert (tmp_path / "cgroup.kill").read_text() == "1"


def test_a_family_is_killed_with_its_orphans(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        if os.fork() == 0:
            os.write(writer, f"{os.getpid()}\n".encode())
        select.poll().poll()
        os._exit(0)
    grandchild = int(os.read(reader, 20))
    assert set(processes.family([pid])) == {pid, grandchild}
    processes.kill_family([pid])
    os.waitpid(pid, 0)
    stat = Path(f"/proc/{grandchild}/stat")
    assert not stat.exists() or ") Z" in stat.read_text()
    os.close(reader)
    os.close(writer)


def test_what_was_granted_cannot_be_taken_away_by_who_narrows_it() -> None:
    """A standby process for an open network once took the broker from the run after it."""
    grants = probe()
    for granted in (grants, grants.without(frozenset({"landlock"}))):
        narrowed = granted.layers
        narrowed -= {Layer.EGRESS}
        assert Layer.EGRESS in granted.layers
