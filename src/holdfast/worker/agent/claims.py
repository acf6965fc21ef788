"""Claiming: one loop per workloop. Lost and late answers never cost a slot.

The worker has one unanswered claim at a time. Its slot stays taken until the answer comes, the
connection is lost, or the claim's time is up. So the platform never gives out more runs than there
are slots, and a lost connection costs one run at most. A platform that lives and does not answer a
claim must not stop the worker: after a minute the next slot asks, then after two, and so on.

Timing: `docs/spec/worker-protocol.md` 3.4, with one difference: after an answer with runs the next
claim follows at once. After an answer without runs the pause grows by 15 %, up to the longest. The
end of a run, a push of `work-available` and a reconnect reset it. There is exactly one loop per
workloop (W29).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from holdfast import log
from holdfast.protocol.client import NotJoined
from holdfast.protocol.frames import Reply
from holdfast.protocol.messages import CLAIM, Claim, ClaimedRun, claimed_runs
from holdfast.worker.connection import AnswerLost, Channel
from holdfast.worker.metrics import Metrics
from holdfast.worker.workloops import Workloop

_GROWTH = 1.15
_JITTER = 0.1
#: Wait for the answer to a claim before another slot may ask; doubled for each that is overdue.
PATIENCE_SECONDS = 60.0


@dataclass
class Turn:
    """Whose claim is under way, of all loops of a worker."""

    patience: float = PATIENCE_SECONDS
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    overdue: set[asyncio.Task[int]] = field(default_factory=set)  # claims, each with its slot

    async def wait(self, claim: asyncio.Task[int]) -> bool:
        """Whether it was answered in time; if not, it goes on by itself."""
        seconds = self.patience * 2 ** len(self.overdue)
        done, _ = await asyncio.wait({claim}, timeout=seconds)
        if not done:
            self.overdue.add(claim)
            claim.add_done_callback(self.overdue.discard)
        return bool(done)


@dataclass
class Claimer:
    """Claims for one workloop. `blocked` says why there may be no claims now, or None."""

    loop: Workloop
    channel: Channel
    name: str | None
    pauses: tuple[float, float]  # shortest and longest, seconds
    claim_seconds: float
    take: Callable[[ClaimedRun, Workloop], None]
    blocked: Callable[[], str | None]
    turn: Turn
    metrics: Metrics
    chance: Callable[[], float] = random.random
    _fresh: asyncio.Event = field(default_factory=asyncio.Event)
    _pause: float = 0.0
    _overdue: set[str] = field(default_factory=set)  # claims that may be answered yet

    def refresh(self) -> None:
        """Something changed: look for work at once, and begin with short pauses again."""
        self._pause = self.pauses[0]
        self._fresh.set()

    async def run(self) -> None:
        """Claim for ever. Ends only by cancellation."""
        self._pause = self.pauses[0]
        while True:
            self._fresh.clear()
            if not self.channel.joined or not self.loop.free or self.blocked() is not None:
                await self._sleep(self.pauses[1])
                continue
            if await self._tried():
                self._pause = self.pauses[0]
                continue  # where one run waits there may be more
            delay = self._pause
            self._pause = min(self.pauses[1], self._pause * _GROWTH)
            await self._sleep(delay * (1 + _JITTER * (self.chance() - 0.5)))

    async def _tried(self) -> int:
        """A claim that went wrong must not be the last one of this loop."""
        try:
            return await self.claim()
        except Exception as error:
            log.failure("claim.failed", error, loop=self.loop.key)
            return 0

    async def claim(self) -> int:
        """One claim, if there is room; the number of runs it brought, 0 if it is overdue."""
        async with self.turn.lock:
            if not self.loop.free or not self.channel.joined or self.blocked() is not None:
                return 0
            self.loop.claims += 1
            claim = asyncio.create_task(self._claimed())
            try:
                if await self.turn.wait(claim):
                    return claim.result()
            except asyncio.CancelledError:
                claim.cancel()
                raise
        log.warn("claim.overdue", loop=self.loop.key, overdue=len(self.turn.overdue))
        claim.add_done_callback(self._came_late)
        return 0

    async def _claimed(self) -> int:
        try:
            reply = await self._asked()
        finally:
            self.loop.claims -= 1
        if reply is None:
            self._count("lost")
            return 0
        return self.accept(reply)

    def _came_late(self, claim: asyncio.Task[int]) -> None:
        """An overdue claim has ended: its slot may be free."""
        if not claim.cancelled() and (error := claim.exception()) is not None:
            log.failure("claim.failed", error, loop=self.loop.key)
        self.refresh()

    async def _asked(self) -> Reply | None:
        """Send a claim and wait; None if the answer did not come in time, or will not come."""
        ref = None
        try:
            payload = Claim(1, self.name, self.loop.queues).to_payload()
            ref, answer = self.channel.ask(CLAIM, payload, timeout=self.claim_seconds)
            return await answer
        except (AnswerLost, NotJoined) as error:
            log.warn("claim.unanswered", loop=self.loop.key, why=error)
            if ref is not None and isinstance(error, AnswerLost) and error.loss is None:
                self._overdue.add(ref)
            return None

    def late(self, reply: Reply) -> bool:
        """Take what a claim of this loop brings after its time; False if it was another's."""
        if reply.ref not in self._overdue:
            return False
        self._overdue.discard(reply.ref)
        self.accept(reply)
        return True

    def accept(self, reply: Reply) -> int:
        """Take every run of an answer, also more than were asked for (W7), also late ones."""
        if not reply.ok:
            log.warn("claim.refused", loop=self.loop.key, why=reply.response)
            self._count("refused")
            return 0
        runs = claimed_runs(reply.response)
        self._count("run" if runs else "empty")
        for run in runs:
            self.loop.runs.add(run.id)
            self.take(run, self.loop)
        return len(runs)

    def _count(self, result: str) -> None:
        self.metrics.claims.labels(self.loop.key, result).inc()

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._fresh.wait()
        except TimeoutError:
            return
