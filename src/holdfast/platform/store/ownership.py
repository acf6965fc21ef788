"""What belongs to a run. Every id that a worker names is checked here, and nowhere else.

A worker has the channels of many runs, and what it says may come from a job that has escaped. So
an id is good only for the run whose channel it comes through: for its project, its snapshot and
its steps (`steps.find_step` and `logs.add` look among the steps of one run only).
"""

from __future__ import annotations

from sqlalchemy import select

from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.snapshots import parts_of


def has_job(connection: Connection, run: Row, job_id: str) -> bool:
    """Whether the run's snapshot has this job."""
    return any(job["id"] == job_id for job in parts_of(connection, run.snapshot_id)["jobs"])


def has_credential(connection: Connection, run: Row, credential_id: str) -> bool:
    """Whether a job of the run's snapshot uses this credential of the run's project."""
    c = t.credentials.c
    mine = select(c.id).where(c.id == credential_id, c.project_id == run.project_id)
    jobs = parts_of(connection, run.snapshot_id)["jobs"]
    used = any(job["credential_id"] == credential_id for job in jobs)
    return used and connection.scalar(mine) is not None


def has_keychain(connection: Connection, run: Row, keychain_id: str) -> bool:
    """Whether a job of the run's snapshot uses this keychain of the run's project."""
    k = t.keychains.c
    mine = select(k.id).where(k.id == keychain_id, k.project_id == run.project_id)
    jobs = parts_of(connection, run.snapshot_id)["jobs"]
    used = any(job.get("keychain_credential_id") == keychain_id for job in jobs)
    return used and connection.scalar(mine) is not None


def may_take_step(connection: Connection, step_id: str) -> bool:
    """Whether nobody has a step of this id yet."""
    return connection.scalar(select(t.steps.c.id).where(t.steps.c.id == step_id)) is None


def wrote_clip(connection: Connection, run: Row, clip_id: str) -> bool:
    """Whether this is the output of a step of the run."""
    s, rs = t.steps.c, t.run_steps.c
    query = (
        select(s.id)
        .join(t.run_steps, rs.step_id == s.id)
        .where(rs.run_id == run.id, s.output_dataclip_id == clip_id)
        .limit(1)
    )
    return connection.scalar(query) is not None


def may_name_clip(connection: Connection, run: Row, clip_id: str) -> bool:
    """Whether the run may say of this clip that it is an input or its final state."""
    return clip_id == run.dataclip_id or wrote_clip(connection, run, clip_id)


def may_write_clip(connection: Connection, run: Row, clip_id: str) -> bool:
    """Whether a step of the run may have this output: nobody has it, or the run wrote it."""
    taken = select(t.dataclips.c.id).where(t.dataclips.c.id == clip_id)
    return connection.scalar(taken) is None or wrote_clip(connection, run, clip_id)
