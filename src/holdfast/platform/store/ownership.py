"""What belongs to a run. Every id that a worker names is checked here, and nowhere else.

A worker has the channels of many runs, and what it says may come from a job that has escaped. So
an id is good only for the run whose channel it comes through: for its project, its snapshot and
its steps (`steps.find_step` and `logs.add` look among the steps of one run only).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import bindparam, select

from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.snapshots import body_of

#: Built once, as in `runs.py`.
_STEP = select(t.steps.c.id).where(t.steps.c.id == bindparam("of_step"))
_CLIP = select(t.dataclips.c.id).where(t.dataclips.c.id == bindparam("of_clip"))
_WROTE = (
    select(t.steps.c.id)
    .join(t.run_steps, t.run_steps.c.step_id == t.steps.c.id)
    .where(
        t.run_steps.c.run_id == bindparam("of_run"),
        t.steps.c.output_dataclip_id == bindparam("of_clip"),
    )
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class _Named:
    """Ids that the jobs of a snapshot name."""

    jobs: frozenset[str]
    credentials: frozenset[str]
    keychains: frozenset[str]


@lru_cache(16)
def _names_in(body: str) -> _Named:
    jobs = json.loads(body)["jobs"]
    columns = ("id", "credential_id", "keychain_credential_id")
    return _Named(*(frozenset(filter(None, (job.get(c) for job in jobs))) for c in columns))


def _named(connection: Connection, run: Row) -> _Named:
    return _names_in(body_of(connection, run.snapshot_id))


def has_job(connection: Connection, run: Row, job_id: str) -> bool:
    """Whether the run's snapshot has this job."""
    return job_id in _named(connection, run).jobs


def has_credential(connection: Connection, run: Row, credential_id: str) -> bool:
    """Whether a job of the run's snapshot uses this credential of the run's project."""
    c = t.credentials.c
    mine = select(c.id).where(c.id == credential_id, c.project_id == run.project_id)
    used = credential_id in _named(connection, run).credentials
    return used and connection.scalar(mine) is not None


def has_keychain(connection: Connection, run: Row, keychain_id: str) -> bool:
    """Whether a job of the run's snapshot uses this keychain of the run's project."""
    k = t.keychains.c
    mine = select(k.id).where(k.id == keychain_id, k.project_id == run.project_id)
    used = keychain_id in _named(connection, run).keychains
    return used and connection.scalar(mine) is not None


def may_take_step(connection: Connection, step_id: str) -> bool:
    """Whether nobody has a step of this id yet."""
    return connection.scalar(_STEP, {"of_step": step_id}) is None


def wrote_clip(connection: Connection, run: Row, clip_id: str) -> bool:
    """Whether this is the output of a step of the run."""
    return connection.scalar(_WROTE, {"of_run": run.id, "of_clip": clip_id}) is not None


def may_name_clip(connection: Connection, run: Row, clip_id: str) -> bool:
    """Whether the run may say of this clip that it is an input or its final state."""
    return clip_id == run.dataclip_id or wrote_clip(connection, run, clip_id)


def may_write_clip(connection: Connection, run: Row, clip_id: str) -> bool:
    """Whether a step of the run may have this output: nobody has it, or the run wrote it."""
    taken = connection.scalar(_CLIP, {"of_clip": clip_id}) is not None
    return not taken or wrote_clip(connection, run, clip_id)
