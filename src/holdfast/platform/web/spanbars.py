"""The rows of a timeline for operations and requests, and the line of the processor. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from holdfast.platform.web.bars import HEIGHT, Bar, Scale
from holdfast.platform.web.language import say
from holdfast.platform.web.spans import Call, Span, Told
from holdfast.platform.web.words import more_words, operation_words, spans_words

#: Operations and requests that are all shown; of more, those of the chosen step: first and last.
_ALL, _FIRST, _LAST = 30, 20, 8


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was told of operations and requests, and which of them are wanted."""

    told: Told = field(default_factory=Told)
    step_id: str | None = None
    key: str | None = None
    whole: bool = False


def span_bars(scale: Scale, step: Bar, drawn: Drawn) -> list[Bar]:
    """The rows below a step: its operations and requests, or how many there are."""
    told, mine = drawn.told, drawn.told.of_step(step.step_id or "")
    if not mine:
        return []
    total = len(told.operations) + len(told.calls)
    if drawn.whole or total <= _ALL:
        return [_span(scale, span) for span in mine]
    if step.step_id != drawn.step_id:
        return [Bar("more", spans_words(mine), step.since, step.until, None, 0, step.step_id)]
    picked = [*range(min(_FIRST, len(mine))), *range(max(_FIRST, len(mine) - _LAST), len(mine))]
    at = next((index for index, span in enumerate(mine) if span.key == drawn.key), None)
    if at is not None:
        picked = sorted({*picked, at})
    found, before = list[Bar](), -1
    for index in [*picked, len(mine)]:
        if gap := index - before - 1:
            words = more_words(gap)
            found.append(Bar("more", words, step.since, step.until, None, 0, step.step_id))
        if index < len(mine):
            found.append(_span(scale, mine[index]))
        before = index
    return found


def _span(scale: Scale, span: Span) -> Bar:
    if isinstance(span, Call):
        state = "failed" if span.bad else None
        more = {"key": span.key, "note": span.result, "state": state}
        bar = scale.bar("request", span.title, span.since, span.until, **more)
    else:
        note = say("line %(line)s", line=span.line) if span.line else ""
        title = operation_words(span.number, span.name)
        bar = scale.bar("operation", title, span.since, span.until, key=span.key, note=note)
    return replace(bar, step_id=span.step_id)


def processor_line(
    scale: Scale, samples: Sequence[tuple[int, float, float | None]]
) -> tuple[str | None, float]:
    """The share of a processor between samples as a line, and the largest of them."""
    known = [(at, spent) for at, _, spent in samples if spent is not None]
    parts = [
        (one, two, max(0.0, spent - before) * 1000 / (two - one))
        for (one, before), (two, spent) in pairwise(known)
        if two > one
    ]
    if not parts:
        return None, 0.0
    most = max(share for _, _, share in parts)
    top = max(1.0, most)
    points = [
        f"{scale.x(at)},{round(HEIGHT - share / top * HEIGHT * 0.95)}"
        for one, two, share in parts
        for at in (one, two)
    ]
    return " ".join(points), most
