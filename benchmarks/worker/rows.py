"""The rows of the table: each measures one side and gives its figures."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks.processes import own_seconds, private_mb, processor_seconds
from benchmarks.worker.side import TRIVIAL, Session, Side, chain, milliseconds, plan, trivial

_SPACED, _PAUSE_SECONDS = 15, 0.6
_IN_A_ROW, _AT_ONCE = 25, 75
_CAPACITY = 5
_RECORDS = (
    "fn(s => ({ data: Array.from({ length: 60_000 }, (_, id) =>"
    " ({ id, name: `record ${id} `.repeat(8), ok: id % 2 === 0 })) }));"
)
_FIRST = 3
#: Runs after which a worker is as it stays: a kind of run has its zygote after the second.
_BEFORE = 3
_HOLD = "fn(async s => { await new Promise(done => setTimeout(done, 6000)); return s; });"


@dataclass(frozen=True)
class Figure:
    """One figure with its bar; `least`: the bar is the least that it may be."""

    text: str
    value: float
    unit: str
    bar: float | None = None
    least: bool = False


Row = Callable[[Side], Awaitable[list[Figure]]]


async def spaced(side: Side) -> list[Figure]:
    """One trivial run after the other, with time between them."""
    async with side.started() as session:
        await session.ready()
        await session.warm()
        taken = []
        for _ in range(_SPACED):
            taken.append(milliseconds(await session.run(trivial())))
            await asyncio.sleep(_PAUSE_SECONDS)
    text = f"trivial run, one every {_PAUSE_SECONDS:g} s, median"
    return [Figure(text, statistics.median(taken), "ms", 30)]


async def in_a_row(side: Side) -> list[Figure]:
    """Trivial runs that all wait, at a capacity of one."""
    async with side.started() as session:
        await session.ready()
        await session.warm()
        runs, seconds = await _all(session, _IN_A_ROW)
    median = statistics.median(milliseconds(run) for run in runs)
    return [
        Figure("back to back, capacity 1, median", median, "ms", 35),
        Figure("back to back, capacity 1", _IN_A_ROW / seconds, "runs/s", 20, least=True),
    ]


async def at_once(side: Side) -> list[Figure]:
    """Trivial runs that all wait, at a capacity of five."""
    async with side.started(_CAPACITY) as session:
        await session.ready()
        await session.warm()
        agents = session.worker.agents()
        before = processor_seconds(session.worker.pid)
        own = sum(map(own_seconds, agents))
        _, seconds = await _all(session, _AT_ONCE)
        await asyncio.sleep(1.0)  # what the last ones leave behind is theirs too
        spent = (processor_seconds(session.worker.pid) - before) / _AT_ONCE * 1000
        own = (sum(map(own_seconds, agents)) - own) / _AT_ONCE * 1000
    text = f"back to back, capacity {_CAPACITY}"
    figures = [
        Figure(text, _AT_ONCE / seconds, "runs/s", 50, least=True),
        Figure(f"{text}: processor time of a run", spent, "ms", 35),
    ]
    return figures + [Figure(f"{text}: … of it the agent", own, "ms")] * bool(agents)


async def _all(session: Session, count: int) -> tuple[list, float]:  # type: ignore[type-arg]
    began = time.monotonic()
    runs = [session.platform.enqueue(trivial(), input={"data": {}}) for _ in range(count)]  # type: ignore[arg-type]
    session.platform.push("worker:queue", "work-available", {})
    await session.ended(runs)
    return runs, time.monotonic() - began


async def first(side: Side) -> list[Figure]:
    """A run that waits when the worker starts: on a new data folder, and on the one it had."""
    new, again = [], []
    for turn in range(_FIRST + 1):
        async with side.started() as session:
            taken = milliseconds(await session.waiting())
            if turn == 0:  # the very first one installs the adaptor
                continue
            new.append(taken)
            await session.warm()
            await session.restart()
            again.append(milliseconds(await session.waiting()))
    return [
        Figure(
            "first run after the start, new data folder, median", statistics.median(new), "ms", 60
        ),
        Figure("first run after a restart, median", statistics.median(again), "ms", 60),
    ]


async def delayed(side: Side) -> list[Figure]:
    """Ten steps at a platform that is far away."""
    figures = []
    async with side.started() as session:
        await session.ready()
        await session.warm()
        for seconds, bar in ((0.01, 0.4), (0.05, 1.0)):
            session.platform.answer_seconds = seconds
            run = await session.run(chain([TRIVIAL] * 10))
            text = f"ten steps, answers after {seconds * 1000:.0f} ms"
            figures.append(Figure(text, milliseconds(run) / 1000, "s", bar))
            session.platform.answer_seconds = 0.0
            await asyncio.sleep(1.0)
    return figures


def lines(count: int, bar: float, *, batches: bool) -> Row:
    """A run that writes many log lines."""

    async def row(side: Side) -> list[Figure]:
        body = (
            f"fn(s => {{ for (let i = 0; i < {count}; i++) console.log('line', i); return s; }});"
        )
        async with side.started(WORKER_BATCH_LOGS=str(batches).lower()) as session:
            await session.ready()
            await session.warm()
            agents = session.worker.agents()
            own = sum(map(own_seconds, agents))
            run = await session.run(plan(body))
            own = (sum(map(own_seconds, agents)) - own) / count * 1e6
            assert len(run.lines) >= count, len(run.lines)
        text = f"{count:,} log lines" + ", batches" * batches
        figures = [Figure(text, milliseconds(run) / 1000, "s", bar)]
        return figures + [Figure(f"{text}: agent for a line", own, "µs")] * bool(agents)

    return row


async def records(side: Side) -> list[Figure]:
    """Nine megabytes of records that go through three steps."""
    async with side.started() as session:
        await session.ready()
        await session.warm()
        run = await session.run(chain([_RECORDS, TRIVIAL, TRIVIAL]))
    return [Figure("9 MB of records through three steps", milliseconds(run) / 1000, "s", 0.8)]


async def memory(side: Side) -> list[Figure]:
    """What three more runs add to what one has."""
    async with side.started(_CAPACITY) as session:
        await session.ready()
        for _ in range(_BEFORE):
            await session.warm()
        held = []
        for count in (1, 4):
            runs = [session.enqueue(plan(_HOLD)) for _ in range(count)]
            await session.platform.until(lambda: all(run.steps for run in runs), 60)  # noqa: B023
            await asyncio.sleep(2.0)
            held.append(private_mb(session.worker.pid))
            await session.ended(runs)
            await asyncio.sleep(1.0)
    return [Figure("memory that one more run adds, private", (held[1] - held[0]) / 3, "MB", 8)]


ROWS: dict[str, Row] = {
    "spaced": spaced,
    "row": in_a_row,
    "capacity": at_once,
    "first": first,
    "delayed": delayed,
    "lines": lines(10_000, 0.8, batches=False),
    "batches": lines(10_000, 0.4, batches=True),
    "records": records,
    "memory": memory,
    "many-lines": lines(100_000, 6, batches=False),
    "many-batches": lines(100_000, 2.5, batches=True),
}
