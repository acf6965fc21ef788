"""What must hold when the storm is over. Pure: over what senders were told, and what is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chaos.ledger import Ledger
from cluster.scene import LINES

#: A blow is a cause of a bad end so long before the claim and after the end is noted, seconds.
_AROUND = 2.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A run as the database has it. Times are Unix seconds."""

    id: str
    work_order: str
    state: str
    worker: str | None
    claimed: float
    finished: float
    #: Of a request: its number.
    number: int | None
    steps: int = 1
    #: Lines of the job, each as often as it is stored.
    lines: tuple[str, ...] = ()


def problems(
    told: Mapping[int, str],
    stored: list[Stored],
    effects: Mapping[tuple[str, str], int],
    ledger: Ledger,
    minutes: list[int],
) -> Iterator[str]:
    """Whatever is lost, doubled, left, or ended badly without a cause.

    `told`: run of each request, by number. `effects`: what jobs did, by number and name.
    `minutes`: for which the cron trigger's work orders were made, Unix minutes.
    """
    by_id = {run.id: run for run in stored}
    for number, run_id in told.items():
        if run_id not in by_id:
            yield f"request {number}: its run {run_id} is lost"
        elif by_id[run_id].number != number:
            yield f"request {number}: its run {run_id} is that of {by_id[run_id].number}"
    numbers = Counter(run.number for run in stored if run.number is not None)
    yield from (f"request {n} made {times} runs" for n, times in numbers.items() if times > 1)
    yield from (f"request {n} has no answer" for n in numbers if n not in told)
    orders = Counter(run.work_order for run in stored)
    yield from (f"work order {key} has {n} runs" for key, n in orders.items() if n > 1)
    for run in stored:
        yield from (f"run {run.id}: {text}" for text in _run_problems(run, effects, ledger))
    yield from _minute_problems(minutes)


def _run_problems(
    run: Stored, effects: Mapping[tuple[str, str], int], ledger: Ledger
) -> Iterator[str]:
    if run.state in {"available", "claimed", "started"}:
        yield f"it is left as {run.state}"
    elif run.state == "lost":
        yield "it was called lost, and its worker is there"
    elif run.state != "success" and not _struck(run, ledger):
        yield f"it ended as {run.state}, and nothing struck {run.worker}"
    touched = effects.get((str(run.number), "job"), 0)
    if touched > 1 or (touched == 0 and run.state == "success" and run.number is not None):
        yield f"it touched the world {touched} times"
    if run.steps > 1:
        yield f"it has {run.steps} steps"
    twice = [line for line, times in Counter(run.lines).items() if times > 1]
    if twice:
        yield f"lines are there twice: {twice}"
    if run.number is not None and run.state == "success" and len(run.lines) != LINES:
        yield f"it has {len(run.lines)} of {LINES} lines"


def _struck(run: Stored, ledger: Ledger) -> bool:
    """Whether its worker was killed while it had the run."""
    since, until = run.claimed - _AROUND, run.finished + _AROUND
    kinds = {blow.kind for blow in ledger.blows if blow.deadly}
    mine = {kind for kind in kinds if kind.endswith(f" {run.worker}")}
    return bool(ledger.during(mine, since, until))


def _minute_problems(minutes: list[int]) -> Iterator[str]:
    """Each minute from the first to the last has one work order."""
    counted = Counter(minutes)
    yield from (f"minute {m} has {n} work orders" for m, n in counted.items() if n > 1)
    if minutes:
        whole = range(min(minutes), max(minutes) + 1)
        yield from (f"minute {m} has no work order" for m in whole if m not in counted)
