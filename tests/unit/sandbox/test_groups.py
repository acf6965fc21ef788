"""The group without a kernel's help."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from holdfast.sandbox import processes, sockets
from holdfast.sandbox.groups import Sampling


def test_a_stranger_with_the_number_of_one_that_is_gone_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = Sampling()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        with monkeypatch.context() as earlier:  # it was another process that joined
            earlier.setattr(processes, "start_time", lambda _pid: 1)
            group.add(process.pid)
        assert group.usage() == 0
        group.kill()
        process.communicate(b"\n")
    assert process.returncode == os.EX_OK


def test_who_joined_is_counted_and_ended() -> None:
    group = Sampling()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        group.add(process.pid)
        assert group.usage() > 0
        group.kill()
    assert process.returncode < 0


SHARED = """
import mmap, os, sys
memory = mmap.mmap(-1, 40 << 20)
for at in range(0, len(memory), 4096):
    memory[at] = 1
if os.fork() == 0:
    for at in range(0, len(memory), 4096):
        memory[at] = 2
    print(flush=True)
input()
"""


@pytest.mark.parametrize(("limit", "counted"), [(200, 80), (60, 40)])
def test_shared_memory_is_counted_for_each_and_exactly_where_it_decides(
    limit: int, counted: int
) -> None:
    group = Sampling()
    group.set_limit(limit << 20)
    with subprocess.Popen(
        [sys.executable, "-c", SHARED], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        group.add(process.pid)
        process.stdout.readline()
        used = group.usage() / (1 << 20)
        group.kill()
    assert counted <= used < counted + 20
    assert group.peak() / (1 << 20) == used


CROWD = """
import os, signal
born = []
for _ in range(900):
    pid = os.fork()
    if pid == 0:
        signal.pause()
    born.append(pid)
print(flush=True)
input()
for pid in born:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""


def test_a_family_that_fills_more_than_a_page_is_seen_whole() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CROWD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        found = len(processes.children(process.pid))
        process.communicate(b"\n")
    assert found == 900


def test_what_was_swapped_out_huge_pages_and_threads_are_memory_too(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(
        "Name:\tVmSwap: 9 kB\nRssAnon:\t 100 kB\nRssFile:\t 50 kB\nRssShmem:\t 10 kB\n"
        "VmPTE:\t 4 kB\nVmSwap:\t 200 kB\nHugetlbPages:\t 2048 kB\nThreads:\t3\n"
    )
    seen = processes._kilobytes(str(status), processes._PAGES | processes._KERNELS)
    assert seen == (100 + 10 + 4 + 200 + 2048 + 3 * 24) * 1024


def test_a_stranger_with_the_number_of_a_descendant_lends_it_no_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process of the last walk is gone, and its number is that of one with many threads."""
    group = Sampling()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        group.add(process.pid)
        group.usage()
        monkeypatch.setattr(processes, "threads", lambda _pid: 500)
        assert group.threads(100) == 500, "it is still there"
        process.communicate(b"\n")
        assert group.threads(100) == 0


def test_what_the_kernel_keeps_for_sockets_is_counted() -> None:
    """A job may let answers come that it never reads."""
    group, later = Sampling(), Sampling()
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = (
            "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])));"
            " print(flush=True); input()"
        )
        command = [sys.executable, "-c", code, str(server.getsockname()[1])]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            connection, _ = server.accept()
            assert process.stdout is not None
            process.stdout.readline()
            group.add(process.pid)
            before = group.usage()
            with connection:
                connection.setblocking(False)
                sent = 0
                with suppress(BlockingIOError):
                    while sent < 8 << 20:
                        sent += connection.send(bytes(65536))
                assert sockets.held_bytes([process.pid]) > 100_000
                later.add(process.pid)
                assert later.usage() > before + 100_000
            process.communicate(b"\n")
