"""Named fault points: places where a test may let a process or the disk fail. Inert otherwise.

`point("journal.write")` costs one look at a module variable unless the environment names a
fault plan (`HOLDFAST_FAULTS=<file>`), which only tests write:

    {"seed": 7, "log": "<file>", "points": {"journal.write": {"action": "kill", "chance": 0.01}}}

A point has one fault or a list of them. Actions: `kill` (this process, SIGKILL), `stop`
(SIGSTOP), `delay` (`seconds`), `error` (OSError with `errno`, a number or a name; only at the
points of `DISK`). `chance` is 0 to 1; `on` is the number of the one hit to strike (per
process, from 1); `once` is a file that must exist and is removed by the process that strikes, so
that a fault happens once in a whole system. Standard library only: the shim imports this.
"""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

#: Every fault point, and the moment it stands for. `make chaos` goes through all of them.
POINTS: dict[str, str] = {
    "journal.write": "before a group of records is written",
    "journal.sync": "written, not yet synced",
    "journal.synced": "synced, nobody told yet",
    "journal.mark": "before the accepted mark moves",
    "journal.blob": "a large document is complete, not yet under its name",
    "agent.claimed": "the claim's reply is here, nothing is on disk",
    "agent.journaled": "CLAIMED is synced, the run's channel is not joined",
    "agent.joined": "the run's channel is joined, nothing fetched",
    "agent.prepared": "plan and input are on disk, no shim has the run",
    "agent.launched": "the shim has accepted the run",
    "agent.send": "before an event is sent",
    "agent.accepted": "the platform's answer is here, the mark has not moved",
    "agent.complete": "run:complete was accepted, the journal is not archived",
    "agent.archive": "while a finished journal is put away",
    "shim.launched": "the shim has the run, no run process yet",
    "shim.forked": "the run process exists",
    "shim.record": "a record has come from the run process",
    "shim.outcome": "the outcome is known, not written",
    "shim.ended": "the outcome is written, the agent not told",
    "supervisor.fork": "before a shim is forked",
    "supervisor.reap": "a child has ended, nothing done about it yet",
}

#: Points in front of a call that a real disk may refuse: only there is `error` a true fault.
DISK = frozenset(
    {"journal.write", "journal.sync", "journal.mark", "journal.blob", "agent.archive"}
)
ACTIONS = frozenset({"kill", "stop", "delay", "error"})

ENVIRONMENT_VARIABLE = "HOLDFAST_FAULTS"


class _Plan:
    """One loaded fault plan with its own random numbers per process."""

    def __init__(self, path: str) -> None:
        plan: dict[str, Any] = json.loads(Path(path).read_text())
        self.points: dict[str, list[dict[str, Any]]] = {
            name: found if isinstance(found, list) else [found]
            for name, found in plan["points"].items()
        }
        for name, faults in self.points.items():
            for fault in faults:
                _check(name, fault)
        self.seed = plan.get("seed", 0)
        self.log: str | None = plan.get("log")
        self.hits: dict[str, int] = {}
        self.pid = 0
        self.random = random.Random()  # noqa: S311 - faults, not secrets

    def hit(self, name: str) -> None:
        if self.pid != os.getpid():  # forked: other numbers, own counters
            self.pid = os.getpid()
            self.random = random.Random(f"{self.seed}/{self.pid}")  # noqa: S311
            self.hits = {}
        self.hits[name] = self.hits.get(name, 0) + 1
        for fault in self.points.get(name, ()):
            if self._due(fault, self.hits[name]):
                self._note(name, fault["action"])
                _strike(fault)

    def _due(self, fault: dict[str, Any], number: int) -> bool:
        if "on" in fault and fault["on"] != number:
            return False
        if self.random.random() >= fault.get("chance", 1.0):
            return False
        if "once" in fault:
            try:
                Path(fault["once"]).unlink()
            except FileNotFoundError:
                return False
        return True

    def _note(self, name: str, action: str) -> None:
        if self.log is not None:
            strike = {"point": name, "action": action, "pid": os.getpid(), "time": time.time()}
            line = json.dumps(strike) + "\n"
            handle = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.write(handle, line.encode())
            os.close(handle)


def _check(name: str, fault: dict[str, Any]) -> None:
    """Raises ValueError for an unknown point or action, or a fault that could never happen."""
    if name not in POINTS:
        message = f"no such fault point: {name}"
        raise ValueError(message)
    if fault["action"] not in ACTIONS:
        message = f"unknown fault action: {fault['action']}"
        raise ValueError(message)
    if fault["action"] == "error" and name not in DISK:
        message = f"no disk is written at {name}: it cannot fail there"
        raise ValueError(message)


def _strike(fault: dict[str, Any]) -> None:
    action = fault["action"]
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif action == "delay":
        time.sleep(fault.get("seconds", 0.05))
    else:
        named = fault.get("errno", errno.ENOSPC)
        number = getattr(errno, named) if isinstance(named, str) else named
        raise OSError(number, os.strerror(number))


_plan: _Plan | None = None


def load(path: str | None) -> None:
    """Use this fault plan from now on; None makes every point inert again."""
    global _plan  # noqa: PLW0603 - one plan per process, so that point() costs next to nothing
    _plan = None if path is None else _Plan(path)


def point(name: str) -> None:
    """A place where a test may strike. Does nothing unless a fault plan is loaded."""
    if _plan is not None:
        _plan.hit(name)


load(os.environ.get(ENVIRONMENT_VARIABLE))
