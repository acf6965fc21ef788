"""What goes wrong: kills, freezes, cuts, lost and doubled answers, at random from one seed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from random import Random

from chaos.ledger import Ledger
from holdfast.faults import DISK, POINTS
from holdfast.model.json import JsonObject
from holdfast.testing.platform import Do, TwinPlatform
from support.worker import Worker, descendants

#: Events whose answers are tampered with, and how.
EVENTS = ("claim", "phx_join", "fetch:plan", "fetch:dataclip", "fetch:credential", "run:start",
          "step:start", "run:log", "run:batch_logs", "step:complete", "run:complete",
          "phx_leave")  # fmt: skip
TAMPERINGS = tuple(Do)
#: Reached many times in a run: struck more rarely.
BUSY = {"journal.write", "journal.sync", "journal.mark", "shim.record", "agent.send",
        "agent.accepted"}  # fmt: skip
#: What an ordered refusal says.
REFUSAL = "chaos"
#: How long a process that a fault point froze stays frozen, seconds.
FROZEN = (0.2, 2.0)


def fault_plan(path: Path, seed: int, struck: Path, rate: float) -> Path:
    """Every registered fault point strikes with a small chance in every process."""
    points = {name: _faults(name, rate / 20 if name in BUSY else rate) for name in POINTS}
    path.write_text(json.dumps({"seed": seed, "log": str(struck), "points": points}))
    return path


def _faults(name: str, rate: float) -> list[JsonObject]:
    faults: list[JsonObject] = [
        {"action": "kill", "chance": rate},
        {"action": "stop", "chance": rate / 2},
        {"action": "delay", "chance": rate / 2, "seconds": 0.5},
    ]
    if name in DISK:
        faults += [
            {"action": "error", "errno": problem, "chance": rate / 2}
            for problem in ("ENOSPC", "EIO")
        ]
    return faults


class Monkey:
    """Disturbs until it is told to stop; writes down what it did."""

    def __init__(
        self,
        random: Random,
        platform: TwinPlatform,
        worker: Worker,
        struck: Path,
        *,
        pause: float,
    ) -> None:
        self.random = random
        self.ledger = Ledger()
        self._platform = platform
        self._worker = worker
        self._pause = pause
        self._struck = struck
        #: While true nothing is disturbed: on a busy machine a worker that is killed again and
        #: again before it has started proves nothing.
        self.lull = False
        self._frozen: list[tuple[float, int]] = []

    async def run(self) -> None:
        acts = [
            (8, self.tamper), (4, self.cut), (2, self.kill_agent), (1, self.kill_shim),
            (1, self.kill_supervisor), (1, self.kill_everything), (1, self.freeze_agent),
            (1, self.outage), (1, self.drop_channel), (1, self.freeze_shim),
            (1, self.freeze_supervisor), (1, self.freeze_platform),
        ]  # fmt: skip
        weights = [weight for weight, _ in acts]
        while True:
            await asyncio.sleep(self._pause * self.random.uniform(0.2, 1.8))
            if self.lull:
                continue
            act = self.random.choices([act for _, act in acts], weights)[0]
            await act()
            self.revive()

    def revive(self) -> None:
        """A service manager starts the worker again when its supervisor has died."""
        assert self._worker.process is not None
        if self._worker.process.poll() is not None:
            self._worker.start()

    def thaw(self) -> None:
        """Wake what fault points have frozen, each after its time."""
        now = time.monotonic()
        for blow in self.ledger.read(self._struck):
            if blow.kind.startswith("stop "):
                (pid,) = blow.pids
                self._frozen.append((now + self.random.uniform(*FROZEN), pid))
        for due, pid in [item for item in self._frozen if item[0] <= now]:
            self._frozen.remove((due, pid))
            _signal(pid, signal.SIGCONT)

    async def tamper(self) -> None:
        event, do = self.random.choice(EVENTS), self.random.choice(TAMPERINGS)
        if do is Do.LOSE:
            # One of several messages under way cannot vanish from the middle of a connection.
            do = Do.CUT_BEFORE
        self.ledger.add(f"tamper: {do.value}")
        answer: JsonObject = {"reason": REFUSAL}
        self._platform.order(event, do, seconds=self.random.uniform(0.1, 2), response=answer)

    async def cut(self) -> None:
        self.ledger.add("cut")
        self._platform.cut()

    async def drop_channel(self) -> None:
        topics = [f"run:{run.id}" for run in self._platform.runs.values() if not run.final]
        event = self.random.choice(["phx_error", "phx_close"])
        self.ledger.add("drop channel")
        self._platform.drop_channel(self.random.choice([*topics, "worker:queue"]), event)

    async def kill_agent(self) -> None:
        self.ledger.add("kill agent", self._worker.agents(), deadly=True)
        self._worker.kill_agent()

    async def kill_shim(self) -> None:
        shims = self._worker.shims()
        if shims:
            victim = self.random.choice(shims)
            # Or the keeper of a zygote, which takes the zygote's children along.
            self.ledger.add("kill shim", [victim, *descendants(victim)], deadly=True)
            _signal(victim, signal.SIGKILL)

    async def kill_supervisor(self) -> None:
        self.ledger.add("kill supervisor", [self._worker.pid], deadly=True)
        _signal(self._worker.pid, signal.SIGKILL)
        assert self._worker.process is not None
        self._worker.process.wait()

    async def kill_everything(self) -> None:
        family = [self._worker.pid, *descendants(self._worker.pid)]
        self.ledger.add("kill everything", family, deadly=True)
        self._worker.kill_everything()

    async def freeze_agent(self) -> None:
        await self._freeze("freeze agent", self._worker.agents())

    async def freeze_shim(self) -> None:
        shims = self._worker.shims()
        await self._freeze("freeze shim", shims and [self.random.choice(shims)])

    async def freeze_supervisor(self) -> None:
        await self._freeze("freeze supervisor", [self._worker.pid])

    async def _freeze(self, kind: str, pids: list[int]) -> None:
        with self.ledger.lasting(kind, pids):
            for pid in pids:
                _signal(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(self.random.uniform(*FROZEN))
            finally:
                for pid in pids:
                    _signal(pid, signal.SIGCONT)

    async def freeze_platform(self) -> None:
        with self.ledger.lasting("freeze platform"):
            self._platform.thawed.clear()
            try:
                await asyncio.sleep(self.random.uniform(*FROZEN))
            finally:
                self._platform.thawed.set()

    async def outage(self) -> None:
        with self.ledger.lasting("outage"):
            await self._platform.stop()
            await asyncio.sleep(self.random.uniform(0.1, 3))
            await self._platform.start()


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
