"""Dataclips as people may see them: cleaned of secrets (`docs/spec/platform.md` 4.7)."""

from __future__ import annotations

from sqlalchemy import Connection, or_, select

from holdfast.model.scrubber import Scrubber
from holdfast.platform.service import Platform
from holdfast.platform.store import credentials
from holdfast.platform.store import tables as t


async def clip_text(platform: Platform, clip_id: str) -> str | None:
    """The body as JSON text, scrubbed; None when there is none (unknown or wiped)."""
    body, run_ids = await platform.database.read(lambda c: _clip(c, clip_id))
    if body is None or not run_ids:
        return body
    scrubber = Scrubber()
    for run_id in run_ids:
        seen = await platform.database.read(
            lambda c, key=run_id: credentials.bodies_seen(c, platform.keys, key)  # type: ignore[misc]
        )
        for value in seen:
            scrubber.add(value)
    return scrubber.clean(body)


def _clip(connection: Connection, clip_id: str) -> tuple[str | None, list[str]]:
    """The body, and the runs whose credentials may be in it."""
    row = connection.execute(
        select(t.dataclip_bodies.c.body, t.dataclips.c.type)
        .join(t.dataclips, t.dataclips.c.id == t.dataclip_bodies.c.dataclip_id)
        .where(t.dataclip_bodies.c.dataclip_id == clip_id)
    ).one_or_none()
    if row is None:
        return None, []
    if row.type != "step_result":
        return str(row.body), []
    s, rs, r = t.steps.c, t.run_steps.c, t.runs.c
    of_steps = (
        select(rs.run_id).join(t.steps, s.id == rs.step_id).where(s.output_dataclip_id == clip_id)
    )
    runs = connection.scalars(
        select(r.id).where(or_(r.id.in_(of_steps), r.final_dataclip_id == clip_id)).limit(20)
    )
    return str(row.body), list(runs)
