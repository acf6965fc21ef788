"""What the kernel keeps for sockets, of real ones and from its lists."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from holdfast.sandbox import groups, kernel, sockets
from holdfast.sandbox.sockets import held_bytes, queued

LIST = b"""\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 11 1 0000 100 0 0
   1: 0100007F:1F91 0100007F:1F90 01 00000010:00100000 00:00000000 00000000  0 0 22 1 0000 20 4 30
   2: 0100007F:1F92 0100007F:1F90 01 00000000:00200000 00:00000000 00000000  0 0 33 1 0000 20 4 30
broken
"""
_CLONE_FILES = 0x400
Pair = tuple[socket.socket, socket.socket]


def test_both_queues_of_own_sockets_are_counted() -> None:
    assert queued(LIST, [22, 11]) == 0x100010
    assert queued(LIST, [44]) == 0
    assert queued(b"", [22]) == 0


def test_a_process_that_is_gone_has_none() -> None:
    assert held_bytes([2**22 + 1]) == 0


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def held() -> int:
    return held_bytes([os.getpid()])


def stream(stack: ExitStack) -> Pair:
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = stack.enter_context(socket.create_connection(server.getsockname()))
        return one, stack.enter_context(server.accept()[0])


def datagrams(stack: ExitStack) -> Pair:
    one, other = (
        stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) for _ in range(2)
    )
    other.bind(("::1", 0))
    one.connect(other.getsockname())
    return one, other


def pair(stack: ExitStack) -> Pair:
    one, other = socket.socketpair()
    return stack.enter_context(one), stack.enter_context(other)


@pytest.mark.parametrize("make", [stream, datagrams, pair])
def test_what_nobody_has_read_is_counted_with_what_the_kernel_needs(
    opened: ExitStack, make: Callable[[ExitStack], Pair]
) -> None:
    one, _ = make(opened)
    before = held()
    one.send(bytes(40_000))
    assert 40_000 <= held() - before < 200_000


def test_a_byte_in_a_datagram_takes_more_than_a_byte(opened: ExitStack) -> None:
    one, _ = datagrams(opened)
    before = held()
    for _ in range(100):
        one.send(b"x")
    assert held() - before > 30_000


def test_what_a_closed_end_of_a_pair_has_sent_is_counted(opened: ExitStack) -> None:
    one, _ = pair(opened)
    before = held()
    one.send(bytes(40_000))
    one.close()
    assert 40_000 <= held() - before < 200_000


@pytest.mark.parametrize(
    ("name", "value"),
    [("_SOCK_DIAG", 31), ("_network", str)],
    ids=["no such part of netlink", "another namespace"],
)
def test_without_the_kernels_diagnosis_its_lists_are_read(
    monkeypatch: pytest.MonkeyPatch, opened: ExitStack, name: str, value: object
) -> None:
    one, _ = stream(opened)
    monkeypatch.setattr(sockets, name, value)
    if name == "_network":
        monkeypatch.setattr(sockets, "_messages", lambda _: iter(()))  # it tells of our own only
    before = held()
    one.send(bytes(40_000))
    assert held() - before >= 40_000


def test_a_descriptor_that_is_closed_meanwhile_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, opened: ExitStack
) -> None:
    one, _ = stream(opened)
    one.send(bytes(40_000))
    link, looks = os.readlink, [0]

    def closed(path: str) -> str:
        looks[0] += 1
        if looks[0] == 1:
            raise FileNotFoundError(path)
        return link(path)

    monkeypatch.setattr(os, "readlink", closed)
    assert held() >= 40_000


def test_sockets_of_a_thread_with_files_of_its_own_are_counted() -> None:
    before = held()
    apart, seen = threading.Event(), threading.Event()

    def stay() -> None:
        kernel.libc.unshare(_CLONE_FILES)
        one, other = socket.socketpair()
        one.send(bytes(40_000))
        one.detach(), other.detach()  # the thread's end closes them, in its own table
        apart.set()
        seen.wait()

    thread = threading.Thread(target=stay)
    thread.start()
    apart.wait()
    found = held()
    seen.set()
    thread.join()
    assert found - before >= 40_000


def test_looks_are_as_far_apart_as_they_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine, or a run, may have very many sockets."""
    now, looks = [100.0], [0]

    def slow(_pids: object) -> int:
        now[0] += 0.1
        looks[0] += 1
        return 0

    monkeypatch.setattr(sockets, "held_bytes", slow)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    group = groups.Sampling()
    group.set_limit(1 << 40)
    for _ in range(1000):
        now[0] += 0.01
        group.usage()
    assert looks[0] == 2


def test_a_look_that_decides_is_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [300 << 20]
    monkeypatch.setattr(sockets, "held_bytes", lambda _pids: told[0])
    group = groups.Sampling()
    group.set_limit(200 << 20)
    assert group.usage() == 300 << 20
    told[0] = 0
    assert group.usage() == 0
