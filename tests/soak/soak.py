"""One soak: the load, the kills, the samples, and what must be true of them."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

import httpx

from holdfast.sandbox.processes import resident_bytes
from holdfast.testing.platform import TwinPlatform, one_job_plan
from holdfast.testing.twin_run import TwinRun
from support.worker import Worker, descendants, send

SLOTS = 20
#: Runs between two disturbances, about. An agent that dies again within a minute is started later
#: and later, so that kills in a row would measure pauses.
CALM_RUNS = 100
#: Runs between two samples.
SAMPLE_RUNS = 20
#: What may be more at the end than after the first quarter, or than before the first run: as many
#: runs as slots may be under way, or processes wait, each with a pipe and a socket.
MORE_DESCRIPTORS = 2 * SLOTS
MORE_MEMORY = 0.25
#: Of one shim at any time; some 40 are usual. It is replaced after 500 runs.
DESCRIPTORS_OF_A_SHIM = 150
_JOBS = (
    "export default [s => ({ data: { n: 1 } })];",
    "export default [s => { for (let i = 0; i < 50; i++) console.log('line', i); return s; }];",
    "export default [s => new Promise(done => setTimeout(() => done(s), 300))];",
    "export default [() => ({ data: 'x'.repeat(200000) })];",
    "export default [() => { throw new Error('no'); }];",
)


@dataclass
class Sample:
    """What supervisor and agent hold after so many runs."""

    runs: int
    descriptors: int
    memory: int  # bytes
    shim: int  # descriptors of the shim that has most


def _descriptors(pid: int) -> int:
    """How many a process has. Zero where the kernel tells it only to root. OSError."""
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except PermissionError:
        return 0


@dataclass
class Soak:
    """See the module."""

    seed: int
    runs: int
    data: Path
    tell: Callable[[str], None] = lambda _: None
    calm: int = CALM_RUNS
    samples: list[Sample] = field(default_factory=list)
    strikes: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    at_rest: list[int] = field(default_factory=list)  # descriptors before the first run, and after
    _given: list[TwinRun] = field(default_factory=list)

    async def drive(self) -> list[str]:
        """Everything; what is wrong at the end."""
        chance, began = random.Random(self.seed), time.monotonic()
        options = {"WORKER_CAPACITY": SLOTS, "WORKER_KEEP_MB": 64, "WORKER_LOG_LEVEL": "info",
                   "WORKER_PORT": 0}  # fmt: skip
        async with TwinPlatform() as platform, Worker(platform, self.data, **options) as worker:
            platform.join_seconds = 10
            await worker.ready()
            self.at_rest.append(self._held(worker))
            strike_at, sample_at = self.calm, SAMPLE_RUNS
            while self.ended < self.runs:
                self._feed(chance, platform)
                if self.ended >= sample_at:
                    self._sample(worker)
                    sample_at += SAMPLE_RUNS
                if self.ended >= strike_at and self.ended < self.runs - SLOTS:
                    self._strike(chance, platform, worker)
                    strike_at += chance.randrange(self.calm // 2, self.calm * 2)
                await platform.until(partial(self._moved, self.ended), 120)
            free = await self._free_slots(worker)
            self.at_rest.append(self._held(worker))
            code = await worker.end(60)
        self.seconds = time.monotonic() - began
        return [*self._wrong(), *self._grown(), *self._left(free, code)]

    @property
    def ended(self) -> int:
        return sum(run.final for run in self._given)

    def _moved(self, before: int) -> bool:
        return self.ended > before

    def _feed(self, chance: random.Random, platform: TwinPlatform) -> None:
        """Always as many waiting as there are slots."""
        ahead = self.ended + 2 * SLOTS
        for _ in range(min(ahead, self.runs) - len(self._given)):
            self._given.append(platform.enqueue(one_job_plan(chance.choice(_JOBS)), input={}))

    def _strike(self, chance: random.Random, platform: TwinPlatform, worker: Worker) -> None:
        kind = chance.choice(("agent", "shim", "run", "cut", "cut"))
        self.strikes[kind] = self.strikes.get(kind, 0) + 1
        if kind == "cut":
            platform.cut()
        elif kind == "agent":
            worker.kill_agent()
        else:
            shims = worker.shims()
            inside = [pid for shim in shims for pid in descendants(shim)]
            if wanted := shims if kind == "shim" else inside:
                send([chance.choice(wanted)], signal.SIGKILL)

    def _sample(self, worker: Worker) -> None:
        try:
            held = self._held(worker)
            shim = max(map(_descriptors, worker.shims()), default=0)
        except OSError:  # one of them was just killed
            return
        memory = sum(map(resident_bytes, [worker.pid, *worker.agents()]))
        self.samples.append(Sample(self.ended, held, memory, shim))
        if self.ended % (10 * SAMPLE_RUNS) < SAMPLE_RUNS:
            now = self.samples[-1]
            self.tell(f"{self.ended}/{self.runs} runs, {now.descriptors} descriptors,"
                      f" {now.memory >> 20} MB")  # fmt: skip

    @staticmethod
    def _held(worker: Worker) -> int:
        """Descriptors of supervisor and agent. OSError."""
        pids = [worker.pid, *worker.agents()]
        return sum(map(_descriptors, pids))

    async def _free_slots(self, worker: Worker) -> int:
        """Slots that are free once everything is over, as /metrics says it."""
        found = 0
        url = await worker.ready()

        async def look() -> bool:
            nonlocal found
            async with httpx.AsyncClient(base_url=url, trust_env=False) as web:
                text = (await web.get("/metrics")).text
            line = next(
                item
                for item in text.splitlines()
                if item.startswith("holdfast_worker_slots_free ")
            )
            found = round(float(line.split()[1]))
            return found == SLOTS

        await worker.until(look)
        return found

    def _wrong(self) -> list[str]:
        """Runs that did not end truly: a killed one is told as such, none is lost."""
        return [f"run {run.id} is lost" for run in self._given if run.state == "lost"] + [
            f"run {run.id}: a second start" for run in self._given
            if sum(name == "run:complete" for name, _ in run.events) != 1
        ]  # fmt: skip

    def _grown(self) -> list[str]:
        early, late = self._part(0.25, 0.5), self._part(0.75, 1.0)
        if not early or not late:
            return []
        more = median(s.descriptors for s in late) - median(s.descriptors for s in early)
        grown = median(s.memory for s in late) / median(s.memory for s in early) - 1
        found = []
        if more > MORE_DESCRIPTORS:
            found.append(f"{more:g} descriptors more than after the first quarter")
        if (most := max(s.shim for s in self.samples)) > DESCRIPTORS_OF_A_SHIM:
            found.append(f"a shim held {most} descriptors")
        if grown > MORE_MEMORY:
            found.append(f"{grown:.0%} more memory than after the first quarter")
        return found

    def _left(self, free: int, code: int) -> list[str]:
        found = [] if free == SLOTS else [f"{free} of {SLOTS} slots are free at the end"]
        if code:
            found.append(f"the worker ended with {code}")
        before, after = self.at_rest
        if after > before + MORE_DESCRIPTORS:
            found.append(f"{after} descriptors at rest, {before} before the first run")
        rest = list((self.data / "journals").iterdir())
        return [*found, *(f"{path.name} is left" for path in rest)]

    def _part(self, begin: float, end: float) -> list[Sample]:
        return [s for s in self.samples if begin * self.runs <= s.runs <= end * self.runs]

    def report(self) -> str:
        """What it was, in one paragraph."""
        states: dict[str, int] = {}
        for run in self._given:
            states[run.state] = states.get(run.state, 0) + 1
        quarters = [self._part(n / 4, (n + 1) / 4) for n in range(4)]
        held = [
            (median(s.descriptors for s in part), round(median(s.memory for s in part) / 2**20))
            for part in quarters
            if part
        ]
        return (
            f"seed {self.seed}: {len(self._given)} runs in {self.seconds:.0f} s, {states}; struck"
            f" {self.strikes}; descriptors / MB of supervisor and agent by quarter: {held};"
            f" descriptors at rest before and after: {self.at_rest}"
        )
