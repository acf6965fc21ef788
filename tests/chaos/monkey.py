"""What goes wrong: kills, freezes, cuts, lost and doubled answers, at random from one seed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from pathlib import Path
from random import Random

from fixtures.worker import Worker
from holdfast.testing.faults import POINTS
from holdfast.testing.platform import Do, TwinPlatform

#: Events whose answers are tampered with, and how.
EVENTS = ("claim", "phx_join", "fetch:plan", "fetch:dataclip", "run:start", "step:start",
          "run:log", "run:batch_logs", "step:complete", "run:complete", "phx_leave")  # fmt: skip
TAMPERINGS = (Do.LOSE, Do.MUTE, Do.CUT_BEFORE, Do.CUT_AFTER, Do.DELAY, Do.DUPLICATE, Do.CRASH)


def fault_plan(path: Path, seed: int, struck: Path, rate: float) -> Path:
    """Every registered fault point strikes with a small chance in every process."""
    deadly = {name: {"action": "kill", "chance": rate} for name in POINTS}
    for name in ("journal.write", "journal.sync", "journal.mark", "shim.record", "agent.send"):
        deadly[name]["chance"] = rate / 20  # these are reached many times in a run
    path.write_text(json.dumps({"seed": seed, "log": str(struck), "points": deadly}))
    return path


class Monkey:
    """Disturbs until it is told to stop; counts what it did."""

    def __init__(
        self, random: Random, platform: TwinPlatform, worker: Worker, *, pause: float
    ) -> None:
        self.random = random
        self.done: Counter[str] = Counter()
        self._platform = platform
        self._worker = worker
        self._pause = pause

    async def run(self) -> None:
        acts = [
            (8, self.tamper), (4, self.cut), (2, self.kill_agent), (1, self.kill_shim),
            (1, self.kill_supervisor), (1, self.kill_everything), (1, self.freeze_agent),
            (1, self.outage), (1, self.drop_channel),
        ]  # fmt: skip
        weights = [weight for weight, _ in acts]
        while True:
            await asyncio.sleep(self._pause * self.random.uniform(0.2, 1.8))
            act = self.random.choices([act for _, act in acts], weights)[0]
            self.done[act.__name__] += 1
            await act()
            self.revive()

    def revive(self) -> None:
        """A service manager starts the worker again when its supervisor has died."""
        assert self._worker.process is not None
        if self._worker.process.poll() is not None:
            self._worker.start()

    async def tamper(self) -> None:
        event, do = self.random.choice(EVENTS), self.random.choice(TAMPERINGS)
        if do is Do.LOSE and self._platform.extension is not None:
            # One of several messages under way cannot vanish from the middle of a connection.
            do = Do.CUT_BEFORE
        self._platform.order(event, do, seconds=self.random.uniform(0.1, 2))

    async def cut(self) -> None:
        self._platform.cut()

    async def drop_channel(self) -> None:
        topics = [f"run:{run.id}" for run in self._platform.runs.values() if not run.final]
        event = self.random.choice(["phx_error", "phx_close"])
        self._platform.drop_channel(self.random.choice([*topics, "worker:queue"]), event)

    async def kill_agent(self) -> None:
        self._worker.kill_agent()

    async def kill_shim(self) -> None:
        shims = self._worker.shims()
        if shims:
            _kill(self.random.choice(shims))

    async def kill_supervisor(self) -> None:
        _kill(self._worker.pid)
        assert self._worker.process is not None
        self._worker.process.wait()

    async def kill_everything(self) -> None:
        self._worker.kill_everything()

    async def freeze_agent(self) -> None:
        for pid in self._worker.agents():
            try:
                os.kill(pid, signal.SIGSTOP)
                await asyncio.sleep(self.random.uniform(0.2, 1.5))
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                continue

    async def outage(self) -> None:
        await self._platform.stop()
        await asyncio.sleep(self.random.uniform(0.1, 3))
        await self._platform.start()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
