"""Attacks by bare system calls (issue 12): job code that has come to native code.

At the levels `full` and `strong` nothing gets through; for weaker ones `THROUGH` says what does,
which is what `docs/isolation.md` says too.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest

from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from support.engine import NOBODY, engine, is_root, run
from support.native import WITHOUT, job, library, results

NAMESPACES = frozenset({"namespaces", "network-namespace", "own-uid"})
LEVELS = {
    "full": frozenset[str](),
    "strong": NAMESPACES,
    "ordinary-user": frozenset[str](),
    "ordinary-user-without-namespaces": NAMESPACES,
    "without-landlock": frozenset({"landlock"}),
    "without-landlock-or-namespaces": NAMESPACES | {"landlock"},
    "without-seccomp": frozenset({"seccomp"}),
}
ORDINARY = {"ordinary-user", "ordinary-user-without-namespaces"}
#: Where everything is tried; without seccomp only what does no harm there.
EVERYTHING = [level for level in LEVELS if level != "without-seccomp"]
FILES = {
    "passwd", "secret", "root", "write-outside", "write-tmp", "shared-memory", "sys", "groups",
    "through-own-root", "through-own-folder", "mountinfo", "keys", "own-score",
    "net-tcp", "net-self", "net-route", "net-thread", "net-task",
}  # fmt: skip
#: Files that not every machine has.
MACHINES = {"sysrq", "kcore", "memory", "keys", "shared-memory", "groups", "hosts-name"}


def capabilities_in_bounding_set() -> bool:
    """Whether there is anything that only root could give up; in a pod there is not."""
    return any(
        "CapBnd" in row and int(row.split()[1], 16)
        for row in Path("/proc/self/status").read_text().splitlines()
    )


#: What gets through at a level. At `full` and `strong` nothing else may.
THROUGH: dict[str, set[str]] = {
    # It has none of the capabilities in it, and can gain none.
    "ordinary-user-without-namespaces": {"bounding-set"},
    "without-landlock-or-namespaces": FILES | {"hosts-name"},
}
if not is_root():
    if capabilities_in_bounding_set():
        THROUGH["strong"] = THROUGH["ordinary-user-without-namespaces"]
    # What only root may see and write is out of an ordinary user's reach without any wall.
    if os.geteuid() != 0:
        THROUGH["without-landlock-or-namespaces"] -= {"root", "write-outside"}
    if capabilities_in_bounding_set():
        THROUGH["without-landlock-or-namespaces"] |= {"bounding-set"}
#: What a level comes to on a machine that closes namespaces.
CLOSED = {
    "full": "strong",
    "ordinary-user": "ordinary-user-without-namespaces",
    "without-landlock": "without-landlock-or-namespaces",
}
#: Without seccomp these get through: so they are attacks, and it is seccomp that stops them.
ATTACKS = {
    "pipe-F_SETOWN", "pipe-F_SETSIG", "pipe-O_ASYNC", "pipe-FIOASYNC", "socket-F_SETOWN_EX",
    "socket-O_ASYNC-upper-half", "socket-FIOASYNC", "socket-FIOSETOWN", "socket-SIOCSPGRP",
    "F_NOTIFY", "AF_UNIX", "socketpair", "connect-loopback", "connect-loopback-udp",
    "connect-zero", "connect-mapped", "connect-other-family", "sendto", "sendmsg", "sendmmsg",
    "sendto-six", "bind", "fastopen-connect", "fastopen-sendto", "MADV_PAGEOUT", "inotify_init",
    "inotify_init1",
}  # fmt: skip


@dataclass(frozen=True)
class Met:
    level: str
    layers: list[str]
    results: dict[str, str]
    log: str

    @property
    def through(self) -> set[str]:
        return {name for name, result in self.results.items() if result == "got through"}


def attacked(folder: Path, level: str, order: str) -> Met:
    """What came of `order` in a run at this level."""
    user = NOBODY if level in ORDINARY else None
    if user is not None and not is_root():
        pytest.skip("this is the ordinary user already")
    attacker = library(folder / "store")
    secret = folder / "secret"
    secret.write_text("s3cret")
    secret.chmod(0o644)
    without = LEVELS[level] | WITHOUT
    with (
        engine(folder / level, user, without=without, store=attacker.parent) as running,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        port = listener.getsockname()[1]
        code = job(attacker, order, os.getpid(), port, secret, socket.gethostname())
        ended = run(running, code)
    assert ended.outcome.reason is Reason.SUCCESS, ended.outcome
    document = ended.bodies(Kind.RESULT)[0]["final_state"]
    assert isinstance(document, dict)
    layers = ended.bodies(Kind.LAUNCHED)[0]["layers"]
    assert isinstance(layers, list)
    met = results(json.loads(str(document["inline"]))["data"])
    return Met(level, [*map(str, layers)], met, ended.log)


@pytest.fixture(scope="module", params=EVERYTHING)
def met(request: pytest.FixtureRequest, public_folder: Path) -> Met:
    return attacked(public_folder, request.param, "everything")


def test_native_code_gets_nothing_through(met: Met) -> None:
    level = met.level
    if "namespaces" not in met.layers:  # this machine closes them
        level = CLOSED.get(level, level)
    assert met.through - MACHINES == THROUGH.get(level, set()) - MACHINES, met.results
    assert not MACHINES & met.through or level == "without-landlock-or-namespaces"
    assert len(met.results) > 150


def test_what_native_code_tries_is_told(met: Met) -> None:
    for text in (
        "to signal another process (fcntl)",
        "to listen for connections (bind)",
        "refused: the egress policy of this run does not allow it",
        "forbidden calls of this run were refused",
    ):
        assert text in met.log


@pytest.mark.parametrize("table", ["old-table", "x32-table"])
def test_calls_by_another_table_of_the_processor_end_the_run(
    public_folder: Path, table: str
) -> None:
    attacker = library(public_folder / "store")
    with engine(public_folder / table, without=WITHOUT, store=attacker.parent) as running:
        ended = run(running, job(attacker, table))
    assert ended.outcome.error_type == "SecurityError", ended.outcome


def test_the_attacks_are_attacks(public_folder: Path) -> None:
    met = attacked(public_folder, "without-seccomp", "harmless")
    missed = {name: met.results[name] for name in ATTACKS - met.through}
    assert not missed
