"""What goes wrong in a cluster: processes and databases die or freeze, at random from one seed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from chaos.ledger import Ledger
from cluster.databases import Databases
from cluster.scene import Platform
from support.worker import Worker, descendants, send

#: Between two disturbances, and for how long something stays frozen, seconds.
_PAUSE, _FROZEN = (0.3, 3.0), (0.5, 4.0)


@dataclass(slots=True)
class Monkey:
    """Disturbs until it is told to stop; writes down what it did."""

    random: Random
    databases: Databases
    platforms: list[Platform]
    workers: list[Worker]
    ledger: Ledger = field(default_factory=Ledger)
    #: Platforms that ended though nobody killed them.
    problems: list[str] = field(default_factory=list)
    #: While true nothing is disturbed.
    lull: bool = False

    async def run(self) -> None:
        acts: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (3, self.kill_platform), (2, self.freeze_platform), (2, self.kill_agent),
            (2, self.kill_worker), (2, self.freeze_agent), (2, self.kill_primary),
            (1, self.fail_over),
        ]  # fmt: skip
        weights = [weight for weight, _ in acts]
        while True:
            await asyncio.sleep(self.random.uniform(*_PAUSE))
            if not self.lull:
                await self.random.choices([act for _, act in acts], weights)[0]()
            self.revive()

    def revive(self) -> None:
        """A service manager starts again what has died."""
        for platform in self.platforms:
            if platform.process is None or (code := platform.process.poll()) is None:
                continue
            if code != -signal.SIGKILL and platform.served():  # it may start without a database
                self.problems.append(f"a platform ended by itself, with {code}")
            platform.start()
        for worker in self.workers:
            assert worker.process is not None
            if worker.process.poll() is not None:
                worker.start()

    async def kill_platform(self) -> None:
        self.ledger.add("kill platform")
        self.random.choice(self.platforms).kill()
        await asyncio.sleep(self.random.uniform(0, 2))  # the other one is alone

    async def freeze_platform(self) -> None:
        await self._freeze("freeze platform", [self.random.choice(self.platforms).pid])

    async def kill_agent(self) -> None:
        worker = self.random.choice(self.workers)
        self.ledger.add("kill agent")
        worker.kill_agent()

    async def kill_worker(self) -> None:
        worker = self.random.choice(self.workers)
        name = worker.environment["WORKER_NAME"]
        family = [worker.pid, *descendants(worker.pid)]
        self.ledger.add(f"kill {name}", family, deadly=True)
        await asyncio.to_thread(worker.kill_everything)

    async def freeze_agent(self) -> None:
        await self._freeze("freeze agent", self.random.choice(self.workers).agents())

    async def kill_primary(self) -> None:
        with self.ledger.lasting("kill primary"):
            await asyncio.to_thread(self.databases.kill_primary)

    async def fail_over(self) -> None:
        with self.ledger.lasting("fail over"):
            await asyncio.to_thread(self.databases.fail_over)

    async def _freeze(self, kind: str, pids: list[int]) -> None:
        with self.ledger.lasting(kind, pids):
            send(pids, signal.SIGSTOP)
            try:
                await asyncio.sleep(self.random.uniform(*_FROZEN))
            finally:
                send(pids, signal.SIGCONT)
