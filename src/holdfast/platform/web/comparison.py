"""Two runs of a workflow beside each other: what was other in the run that failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.model.json import Json
from holdfast.platform.store import credentials, runs, snapshots, steps
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.web.compare import Difference, difference
from holdfast.platform.web.naming import names_of
from holdfast.platform.web.versions import Changed, changes_between
from holdfast.platform.web.words import STEP_STATES

#: Steps that are compared.
_STEPS = 100
#: The whole value of a document; None: it is gone, or too large to be compared here.
Read = Callable[[str | None], Json]


@dataclass(frozen=True, slots=True)
class Pair:
    """A step in both runs. `taken`: what differs in its input; None: it cannot be compared."""

    name: str
    states: tuple[str | None, str | None]
    took: tuple[int | None, int | None]
    taken: Difference | None
    ids: tuple[str | None, str | None]


def compared(connection: Connection, mine: Row, other: Row, read: Read) -> dict[str, Any]:
    """What the page shows of the run `mine` and of `other`, the one that is taken for good."""
    before = snapshots.parts_of(connection, other.snapshot_id)
    after = snapshots.parts_of(connection, mine.snapshot_id)
    used = {job["credential_id"] for job in after["jobs"] if job.get("credential_id")}
    names = names_of(after, credentials.names_of(connection, used))
    code: list[Changed] = []
    if mine.snapshot_id != other.snapshot_id:
        code = changes_between(before, after, names)
    titles = {job["id"]: str(job["name"]) for job in (*before["jobs"], *after["jobs"])}
    return {
        "code": code,
        "versions": tuple(snapshots.version_of(connection, r.snapshot_id) for r in (mine, other)),
        "input": _differs(read, other.dataclip_id, mine.dataclip_id),
        "pairs": _pairs(
            steps.steps_of(connection, mine.id, _STEPS),
            steps.steps_of(connection, other.id, _STEPS),
            titles,
            read,
        ),
    }


def _pairs(
    mine: Sequence[Row], other: Sequence[Row], titles: dict[str, str], read: Read
) -> list[Pair]:
    """The last attempt of each step, in the order of the run that is looked at."""
    here, there = ({step.job_id: step for step in found} for found in (mine, other))
    found = []
    for job_id in [*here, *(key for key in there if key not in here)]:
        one, two = here.get(job_id), there.get(job_id)
        taken = None
        if one is not None and two is not None:
            taken = _differs(read, two.input_dataclip_id, one.input_dataclip_id)
        found.append(
            Pair(
                titles.get(job_id, job_id),
                (_state(one), _state(two)),
                (_took(one), _took(two)),
                taken,
                (one.id if one is not None else None, two.id if two is not None else None),
            )
        )
    return found


def _state(step: Row | None) -> str | None:
    return None if step is None else STEP_STATES.get(step.exit_reason or "", "started")


def _took(step: Row | None) -> int | None:
    if step is None or step.finished_at is None:
        return None
    return int(step.finished_at - step.started_at)


def _differs(read: Read, before: str | None, after: str | None) -> Difference | None:
    if before is not None and before == after:
        return Difference([], more=False)
    one, two = read(before), read(after)
    return None if one is None or two is None else difference(one, two)


def run_to_compare(connection: Connection, mine: Row, asked: str | None) -> Row | None:
    """The run that was asked for, if it is of the same workflow; else the last success."""
    if asked:
        row = runs.run_to_show(connection, asked)
        return row if row is not None and row.workflow_id == mine.workflow_id else None
    found = runs.last_success(connection, mine)
    return None if found is None else runs.run_to_show(connection, found)
