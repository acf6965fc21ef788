"""How many processes wait ready-made, by what shims say of their runs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from holdfast.engine.loop import Loop
from holdfast.engine.supervisor.pool import Pool


@dataclass
class Shims:
    """The shims' ends of their channels, in place of processes."""

    loop: Loop = field(default_factory=Loop)
    channels: list[socket.socket] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)

    def fork(self, channel: socket.socket, _tell: int, _given: socket.socket | None) -> int:
        self.channels.append(channel.dup())
        self.channels[-1].setblocking(False)
        return len(self.channels)

    def say(self, *words: str) -> None:
        for word in words:
            for channel in self.channels:
                channel.send(word.encode())
            self.loop.turn()

    def prepared(self) -> int:
        """How many have been told to make a process ready, once no more are."""
        while self.loop.has("standby"):
            self.loop.turn()
        return sum(_told(channel) for channel in self.channels)


def _told(channel: socket.socket) -> int:
    words = []
    while True:
        try:
            words.append(channel.recv(16))
        except BlockingIOError:
            return words.count(b"prepare")


@pytest.fixture
def shims() -> Iterator[Shims]:
    shims = Shims()
    yield shims
    for channel in shims.channels:
        channel.close()


@pytest.fixture
def pool(shims: Shims) -> Iterator[Pool]:
    with ExitStack() as stack:
        pool = Pool(shims.loop, 2, shims.fork, lambda: True, shims.ready.set)
        stack.callback(pool.close)
        for _ in range(3):
            ours, theirs = socket.socketpair()
            stack.enter_context(ours)
            stack.enter_context(theirs)
            pool.give(ours)
        yield pool


def test_runs_that_want_a_ready_process_have_more_of_them_wait(shims: Shims, pool: Pool) -> None:
    shims.say("wanted", "idle-")
    pool.plan()
    assert shims.prepared() == 2


def test_forked_runs_have_no_second_process_wait(shims: Shims, pool: Pool) -> None:
    shims.say("idle-")
    pool.plan()
    assert shims.prepared() == 1


def test_a_process_that_is_ready_is_told_of_and_stays_so(shims: Shims, pool: Pool) -> None:
    shims.say("idle-")
    pool.plan()
    assert shims.prepared() == 1
    assert not shims.ready.is_set()
    shims.say("ready")
    assert shims.ready.is_set()
    pool.plan()
    assert shims.prepared() == 0
