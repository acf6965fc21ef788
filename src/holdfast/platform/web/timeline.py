"""When a run did what: a row for each part, drawn to one scale, with its use below. Pure.

The scale begins when a worker took the run, or after a long preparation: no wait hides the work.
Lengths are in thousandths of the whole, as `preserveAspectRatio="none"` pictures want them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.platform.web.bars import HEIGHT, Bar, Scale
from holdfast.platform.web.language import say
from holdfast.platform.web.spanbars import Drawn, processor_line, span_bars
from holdfast.platform.web.words import STEP_STATES

#: A preparation this many times as long as all that follows stays outside of the scale.
_LONG = 2


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything to draw. `line`: points of memory; `limit`: the height of its limit.

    `processor`: points of the share of a processor; `most`: the largest share.
    """

    bars: list[Bar]
    ticks: list[tuple[int, int]]
    line: str | None
    limit: int | None
    peak_mb: float | None
    limit_mb: float | None
    processor: str | None = None
    most: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Moments and mebibytes, and the limit in mebibytes."""

    samples: Sequence[tuple[int, float]] = ()
    limit_mb: float | None = None


def timeline(
    run: Any,
    steps: Sequence[Any],
    titles: Mapping[str, str],
    now: int,
    memory: Memory,
    *,
    drawn: Drawn | None = None,
) -> Timeline:
    """`titles`: of jobs by id."""
    drawn = drawn or Drawn()
    ends = [step.finished_at for step in steps if step.finished_at]
    end = max([run.finished_at, *ends]) if run.finished_at else now
    scale = Scale(_beginning(run, end), end)
    bars = [
        Bar("wait", say("Waiting"), run.inserted_at, run.claimed_at or run.finished_at, None, 0)
    ]
    if run.claimed_at:
        begun = run.started_at or run.finished_at
        bars.append(scale.bar("prepare", say("Preparing"), run.claimed_at, begun))
    own = [step for step in steps if not run.claimed_at or step.started_at >= run.claimed_at]
    first = min((step.started_at for step in own), default=None)
    if run.started_at and first and scale.is_long(run.started_at, first):
        bars.append(scale.bar("prepare", say("Compiling"), run.started_at, first))
    for step in steps:
        bars.append(_step(scale, step, titles, run.claimed_at))
        if bars[-1].x is not None:
            bars += span_bars(scale, bars[-1], drawn)
    last = max((step.finished_at for step in own if step.finished_at), default=None)
    if run.finished_at and last and scale.is_long(last, run.finished_at):
        bars.append(scale.bar("deliver", say("Finishing"), last, run.finished_at))
    shown = [item for item in memory.samples if item[0] >= scale.start]
    line, limit = _memory(scale, shown, memory.limit_mb)
    peak = max((used for _, used in memory.samples), default=None)
    processor, most = processor_line(scale, drawn.told.samples)
    return Timeline(bars, _ticks(scale), line, limit, peak, memory.limit_mb, processor, most)


def _beginning(run: Any, end: int) -> int:
    """When the scale begins: a wait, or a long preparation, must not hide the work."""
    claimed: int = run.claimed_at or run.inserted_at
    started: int | None = run.started_at
    long = started is not None and started - claimed > _LONG * max(1, end - started)
    return started if long and started is not None and end > started else claimed


def _step(scale: Scale, step: Any, titles: Mapping[str, str], claimed: int | None) -> Bar:
    state = STEP_STATES.get(step.exit_reason or "", "started")
    title = titles.get(step.job_id, step.job_id)
    more = {"step_id": step.id, "state": state}
    if claimed and step.started_at < claimed:  # of an earlier run, whose steps are kept
        return Bar("step", title, step.started_at, step.finished_at, None, 0, **more)
    return scale.bar("step", title, step.started_at, step.finished_at, **more)


def _ticks(scale: Scale) -> list[tuple[int, int]]:
    """Places and microseconds of at most six round times."""
    whole = max(1, scale.end - scale.start)
    step = 1
    while whole / step > 6:
        text = str(step)
        step = int({"1": "2", "2": "5"}.get(text[0], "10") + "0" * (len(text) - 1))
    return [(scale.x(scale.start + at), at) for at in range(0, whole + 1, step)]


def _memory(
    scale: Scale, memory: Sequence[tuple[int, float]], limit_mb: float | None
) -> tuple[str | None, int | None]:
    """The line and the height of the limit, where there is enough to draw."""
    if len(memory) < 2:
        return None, None
    top = max(limit_mb or 0, *(used for _, used in memory)) * 1.1 or 1
    points = [(scale.x(at), round(HEIGHT - used / top * HEIGHT)) for at, used in memory]
    line = " ".join(f"{x},{y}" for x, y in points)
    return line, None if not limit_mb else round(HEIGHT - limit_mb / top * HEIGHT)


def of_steps(steps: Sequence[Any], mems: Sequence[Mapping[str, Any]]) -> list[tuple[int, float]]:
    """The memory of the run's process at the end of each step, as the steps' measures tell it."""
    return [
        (step.finished_at, system / (1 << 20))
        for step, mem in zip(steps, mems, strict=True)
        if step.finished_at
        and isinstance(system := mem.get("system"), int | float)
        and 0 <= system < 1e15
    ]
