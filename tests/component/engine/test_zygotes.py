"""Zygotes in the life of an engine: when they come and go, and what a shim keeps between runs."""

from __future__ import annotations

import os
import signal
import socket
import struct
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from holdfast.engine.config import EngineConfig
from holdfast.engine.host import Host
from holdfast.engine.run import program
from holdfast.engine.zygote.ends import close, make
from holdfast.engine.zygote.keeper import Zygote
from holdfast.engine.zygote.kinds import Kind as ZygoteKind
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from holdfast.model.record import Kind
from holdfast.sandbox import processes
from holdfast.sandbox.spec import Network
from support.engine import Running, engine, is_root, public_folder, run
from support.waiting import eventually

__all__ = ["public_folder"]

ROOM = Limits(memory_mb=128, timeout_seconds=60)
NOTHING = "export default [s => s]"


def lane(running: Running, options: JsonObject | None = None, code: str = NOTHING) -> str:
    ended = run(running, code, limits=ROOM, options=options)
    assert ended.outcome.error_type is None, ended.outcome
    return str(ended.bodies(Kind.LAUNCHED)[0]["lane"])


def keepers(running: Running) -> list[int]:
    """Process ids of the keepers, as the folders of their zygotes are named."""
    folders = (running.config.data / "scratch").glob("zygote-*")
    return [int(path.name.rpartition("-")[2]) for path in folders]


@pytest.fixture(scope="module", autouse=True)
def zygotes(public_folder: Path) -> None:
    """Root has them; others only where they were granted control groups."""
    if not is_root():
        with engine(public_folder / "granted", lane="zygote") as running:
            if lane(running) != "zygote":
                pytest.skip("no groups are granted to this user, so there are no zygotes")


def served(sockets: Path) -> bool:
    return any(sockets.glob("?" * 24))


def gone(paths: list[str]) -> bool:
    return not any(map(os.path.exists, paths))


def test_runs_that_come_again_are_forked_and_others_are_not(public_folder: Path) -> None:
    data = public_folder / "again"
    mine: JsonObject = {"project_id": "mine"}
    with engine(data, standby=1, lane="auto", standby_memory_mb=128) as running:
        assert lane(running, mine) != "zygote"
        eventually(lambda: lane(running, mine) == "zygote", "a zygote of this project")
        (keeper,) = keepers(running)
        assert lane(running, {"project_id": "yours"}) != "zygote"
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: keeper not in keepers(running), "what it held is gone")
        assert lane(running, mine) != "zygote"
        eventually(lambda: lane(running, mine) == "zygote", "another zygote")
        left = keepers(running)
    eventually(lambda: not any(processes.start_time(pid) for pid in left), "they end with it")


def test_an_engine_that_starts_makes_the_zygote_that_its_first_run_needs(
    public_folder: Path,
) -> None:
    store = public_folder / "store"
    store.mkdir()
    with engine(public_folder / "one", standby=1, store=store) as running:
        lane(running)
        eventually(lambda: [*store.glob(".kinds/*.json")], "a note in the store")
    for folder in ("one", "new"):  # what it knows itself, and what the store has seen
        with engine(public_folder / folder, standby=1, store=store) as running:
            sockets = running.config.data / "zygotes"
            eventually(partial(served, sockets), "a zygote")
            assert lane(running) == "zygote", folder


def let_go_of_one(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    connection.close()


def test_a_run_whose_keeper_is_gone_has_a_process_of_its_own(public_folder: Path) -> None:
    with engine(public_folder / "left", lane="auto", standby=1, standby_memory_mb=128) as running:
        mine: JsonObject = {"project_id": "mine"}
        eventually(lambda: lane(running, mine) == "zygote", "a zygote of this project")
        notes = (running.config.data / "zygotes").iterdir()
        (path,) = [path for path in notes if path.is_socket()]
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as deaf:
            deaf.bind(str(path.with_name("deaf")))
            path.with_name("deaf").rename(path)
            deaf.listen()
            # Who connects is let go at once, as when the keeper is killed.
            letting_go = Thread(target=let_go_of_one, args=[deaf])
            letting_go.start()
            assert lane(running, mine) == "cold"
            letting_go.join()


def test_the_child_of_the_next_run_waits_for_it(public_folder: Path) -> None:
    with engine(
        public_folder / "waits", standby=1, lane="zygote", standby_memory_mb=128
    ) as running:
        engine_of_last = 0

        def waiting() -> list[int]:
            (keeper,) = keepers(running)
            (zygote,) = processes.children(keeper)
            return [pid for pid in processes.children(zygote) if pid != engine_of_last]

        for number in range(3):
            ahead = waiting() if number else []
            ended = run(running, NOTHING, limits=ROOM)
            pids = ended.bodies(Kind.LAUNCHED)[0]["pids"]
            assert isinstance(pids, dict)
            engine_of_last = int(str(pids["engine"]))
            assert number == 0 or ahead == [engine_of_last]
            eventually(waiting, "a child waits for the next run")


def test_a_shim_keeps_neither_descriptors_nor_processes_of_its_runs(public_folder: Path) -> None:
    with engine(
        public_folder / "kept", standby=1, lane="zygote", standby_memory_mb=128
    ) as running:
        shims: dict[int, list[int]] = {}
        for _ in range(12):
            ended = run(running, NOTHING, limits=ROOM)
            shim = int(str(ended.bodies(Kind.LAUNCHED)[0]["shim"]))
            folder = Path(f"/proc/{shim}/fd")
            groups = str(ended.bodies(Kind.LAUNCHED)[0]["group"]).split(":")
            eventually(partial(gone, groups), "its groups are gone")
            shims.setdefault(shim, []).append(len(list(folder.iterdir())))
        for shim, counts in shims.items():
            assert counts[-1] <= counts[0] + 6, f"shim {shim} collects descriptors: {counts}"
        assert len(shims) <= 3, f"shims are used again: {shims}"


def test_a_job_that_was_compiled_before_is_compiled_no_more(public_folder: Path) -> None:
    with engine(public_folder / "compiled") as running:
        pids = []
        for _ in range(2):
            ended = run(running, NOTHING, limits=ROOM, options={"project_id": "mine"})
            pids.append(ended.bodies(Kind.LAUNCHED)[0]["pids"])
            assert any("Compiled A in" in line for line in ended.log.splitlines()), ended.log
            assert len(ended.bodies(Kind.REPORT)) == 1
        assert [sorted(one) for one in pids if isinstance(one, dict)] == [
            ["compiler", "engine"],
            ["engine"],
        ]


def fork(zygote: Zygote) -> socket.socket:
    """Order a child; what it and the zygote say of it."""
    ours, theirs = make()
    zygote.fork(theirs, Network.OPEN)
    close(theirs)
    hand = socket.socket(fileno=ours.pop())
    close(ours)
    hand.settimeout(5)
    return hand


def born(hand: socket.socket) -> int:
    """The process id of a child that waits behind its walls."""
    words, ancillary, _, _ = hand.recvmsg(256, socket.CMSG_SPACE(12))
    assert words.startswith(b"born"), words
    return int(struct.unpack_from("=i", ancillary[0][2])[0])


def test_no_end_of_a_child_is_missed_while_another_is_forked(public_folder: Path) -> None:
    """The kernel may tell it to any thread of the zygote when the first one is at work."""
    (public_folder / "ends").mkdir()
    config = EngineConfig(data=public_folder / "ends", socket=public_folder / "ends.sock")
    config = replace(config, program=program.install(config))
    zygote = Zygote(config, Host.look(config), ZygoteKind("ends", {}, Limits()))
    try:
        zygote.start()
        hand = fork(zygote)
        for _ in range(20):
            before, pid = hand, born(hand)
            hand = fork(zygote)
            os.kill(pid, signal.SIGKILL)
            with before:
                assert before.recv(64), "a report of its end"
        hand.close()
        zygote.control.close()
        close([zygote.plain, zygote.error])
    finally:
        zygote.end()
