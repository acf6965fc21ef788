"""Two runs of a workflow beside each other: what was other in the run that failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.platform.store import runs, snapshots, steps
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.web.compare import Difference, difference
from holdfast.platform.web.document import FullError, Reader
from holdfast.platform.web.naming import read_names
from holdfast.platform.web.versions import Changed, changes_between
from holdfast.platform.web.words import STEP_STATES

#: Steps that are compared.
_STEPS = 100


@dataclass(slots=True)
class Pair:
    """A step in both runs. `taken`: what differs in its input; None: it cannot be compared.

    `left_out`: it was not compared, as the page had read enough.
    """

    name: str
    states: tuple[str | None, str | None]
    took: tuple[int | None, int | None]
    ids: tuple[str | None, str | None]
    clips: tuple[str | None, str | None]
    taken: Difference | None = None
    left_out: bool = False


def compared(connection: Connection, mine: Row, other: Row, reader: Reader) -> dict[str, Any]:
    """What the page shows of the run `mine` and of `other`, the one that is taken for good."""
    before = snapshots.parts_of(connection, other.snapshot_id)
    after = snapshots.parts_of(connection, mine.snapshot_id)
    code: list[Changed] = []
    if mine.snapshot_id != other.snapshot_id:
        code = changes_between(before, after, read_names(connection, before, after))
    titles = {job["id"]: str(job["name"]) for job in (*before["jobs"], *after["jobs"])}
    pairs = _pairs(
        steps.steps_of(connection, mine.id, _STEPS),
        steps.steps_of(connection, other.id, _STEPS),
        titles,
    )
    found = _differs(reader, other.dataclip_id, mine.dataclip_id)
    for pair in sorted(pairs, key=lambda pair: pair.states[0] == pair.states[1]):
        _compare(reader, pair)
    return {
        "code": code,
        "versions": tuple(snapshots.version_of(connection, r.snapshot_id) for r in (mine, other)),
        "input": found,
        "pairs": pairs,
    }


def _pairs(mine: Sequence[Row], other: Sequence[Row], titles: dict[str, str]) -> list[Pair]:
    """The last attempt of each step, in the order of the run that is looked at."""
    here, there = ({step.job_id: step for step in found} for found in (mine, other))
    found = []
    for job_id in [*here, *(key for key in there if key not in here)]:
        one, two = here.get(job_id), there.get(job_id)
        found.append(
            Pair(
                titles.get(job_id, job_id),
                (_state(one), _state(two)),
                (_took(one), _took(two)),
                (one.id if one is not None else None, two.id if two is not None else None),
                (
                    one.input_dataclip_id if one is not None else None,
                    two.input_dataclip_id if two is not None else None,
                ),
            )
        )
    return found


def _compare(reader: Reader, pair: Pair) -> None:
    """Fill in what differs, as long as the page may read documents."""
    mine, other = pair.clips
    try:
        if None not in pair.ids:
            pair.taken = _differs(reader, other, mine)
    except FullError:
        pair.left_out = True


def _state(step: Row | None) -> str | None:
    return None if step is None else STEP_STATES.get(step.exit_reason or "", "started")


def _took(step: Row | None) -> int | None:
    if step is None or step.finished_at is None:
        return None
    return int(step.finished_at - step.started_at)


def _differs(reader: Reader, before: str | None, after: str | None) -> Difference | None:
    if before is not None and before == after:
        return Difference([], more=False)
    one, two = reader.value(before), reader.value(after)
    return None if one is None or two is None else difference(one, two)


def run_to_compare(connection: Connection, mine: Row, asked: str | None) -> Row | None:
    """The run that was asked for, if it is of the same workflow; else the last success."""
    if asked:
        row = runs.run_to_show(connection, asked)
        return row if row is not None and row.workflow_id == mine.workflow_id else None
    found = runs.last_success(connection, mine)
    return None if found is None else runs.run_to_show(connection, found)
