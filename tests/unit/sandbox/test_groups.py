"""The group without a kernel's help."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress

import pytest

from holdfast.sandbox import folders, processes, sockets
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


STATUS = b"""\
Name:\tVmSwap: 9 kB
RssAnon:\t     100 kB
RssFile:\t      50 kB
RssShmem:\t      10 kB
VmPTE:\t       4 kB
VmSwap:\t     200 kB
HugetlbPages:\t    2048 kB
Threads:\t3
"""
#: Of a process with 120 KB of shared memory that was swapped beside the 200 KB of its own.
SHARES = b"""\
00400000-7ffe00000000 ---p 00000000 00:00 0                              [rollup]
Rss:                 160 kB
Pss:                  90 kB
Pss_Anon:             60 kB
Pss_File:             25 kB
Pss_Shmem:             5 kB
Shared_Hugetlb:     1024 kB
Private_Hugetlb:    1024 kB
Swap:                320 kB
SwapPss:             100 kB
"""


def test_what_was_swapped_out_huge_pages_and_threads_are_memory_too() -> None:
    seen = processes._kilobytes(STATUS, processes._PAGES | processes._KERNELS)
    assert seen == 100 + 10 + 4 + 200 + 2048 + 3 * 24


def test_shared_memory_that_was_swapped_out_is_counted_whole() -> None:
    """The kernel tells no share of it."""
    seen = processes.share(SHARES, STATUS)
    assert seen == (60 + 5 + 100 + 2048 + (320 - 200) + 4 + 3 * 24) * 1024
    less = SHARES.replace(b"Swap:                320", b"Swap:                150")
    assert processes.share(less, STATUS) == (60 + 5 + 100 + 2048 + 4 + 3 * 24) * 1024


#: Another thread has 40 MB, and a file of a megabyte without a name, when the first one ends.
HEADLESS = """
import ctypes, mmap, os, platform, tempfile, threading
def stay():
    memory = mmap.mmap(-1, 40 << 20)
    for at in range(0, len(memory), 4096):
        memory[at] = 1
    nameless = tempfile.TemporaryFile()
    nameless.write(bytes(1 << 20))
    nameless.flush()
    end.wait()
    while os.path.exists(f"/proc/{os.getpid()}/fd/0"):
        pass
    os.write(1, b"\\n")
    os.read(0, 1)
end = threading.Event()
threading.Thread(target=stay).start()
end.set()
ctypes.CDLL(None).syscall(60 if platform.machine() == 'x86_64' else 93, 0)  # exit, of one thread
"""


def test_a_process_whose_first_thread_has_ended_is_counted_and_ended() -> None:
    group = Sampling()
    with subprocess.Popen(
        [sys.executable, "-c", HEADLESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        group.add(process.pid)
        assert process.stdout
        process.stdout.readline()
        assert group.usage() > 40 << 20
        assert (processes.proportional_bytes(process.pid) or 0) > 40 << 20
        assert folders.nameless_usage(process.pid) >= 1 << 20
        group.kill()
        assert process.wait(5) < 0


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
