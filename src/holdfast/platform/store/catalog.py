"""Lists of what projects are made of: for the API, a page at a time."""

from __future__ import annotations

import json

from sqlalchemy import select

from holdfast.platform.store import tables as t
from holdfast.platform.store.credentials import SHOWN
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.lists import Chosen, Listed, chosen_rows, seen


def list_projects(connection: Connection, chosen: Chosen) -> Listed:
    """By `name`; times: `inserted`, `updated`."""
    c = t.projects.c
    query = select(t.projects).where(seen(c.id, chosen.visible)).order_by(c.name)
    times = {"inserted": c.inserted_at, "updated": c.updated_at}
    return chosen_rows(connection, query, chosen, {"name": c.name}, times)


def all_projects(connection: Connection, visible: frozenset[str] | None) -> list[Row]:
    """`id` and `name` of each that may be seen, by name."""
    c = t.projects.c
    query = select(c.id, c.name).where(seen(c.id, visible)).order_by(c.name)
    return list(connection.execute(query))


def list_workflows(connection: Connection, chosen: Chosen) -> Listed:
    """Those that are not deleted, by `project_id`, `name`; times: `inserted`, `updated`."""
    c = t.workflows.c
    query = select(t.workflows).where(c.deleted_at.is_(None), seen(c.project_id, chosen.visible))
    columns = {"project_id": c.project_id, "name": c.name}
    times = {"inserted": c.inserted_at, "updated": c.updated_at}
    return chosen_rows(connection, query.order_by(c.name, c.id), chosen, columns, times)


def list_jobs(connection: Connection, chosen: Chosen) -> Listed:
    """By `project_id`, `workflow_id`, `name`."""
    j, w = t.jobs.c, t.workflows.c
    query = (
        select(t.jobs, w.project_id)
        .join(t.workflows, w.id == j.workflow_id)
        .where(w.deleted_at.is_(None), seen(w.project_id, chosen.visible))
        .order_by(w.name, j.position, j.id)
    )
    columns = {"project_id": w.project_id, "workflow_id": j.workflow_id, "name": j.name}
    return chosen_rows(connection, query, chosen, columns, {})


def list_credentials(connection: Connection, chosen: Chosen) -> Listed:
    """Without their secrets, by `project_id`, `name`, `schema`; times: `inserted`, `updated`."""
    c = t.credentials.c
    query = select(*SHOWN).where(seen(c.project_id, chosen.visible), c.deleted_at.is_(None))
    columns = {"project_id": c.project_id, "name": c.name, "schema": c.schema}
    times = {"inserted": c.inserted_at, "updated": c.updated_at}
    return chosen_rows(connection, query.order_by(c.name, c.id), chosen, columns, times)


def find_project(connection: Connection, key: str) -> Row | None:
    c = t.projects.c
    query = select(t.projects).where((c.id == key) | (c.name == key))
    return connection.execute(query).one_or_none()


def records(connection: Connection, project_id: str) -> bool:
    """Whether the project agrees that its runs are kept whole, for replays."""
    kept = connection.scalar(select(t.projects.c.kept).where(t.projects.c.id == project_id))
    return json.loads(kept or "{}").get("record") is True


def find_job(connection: Connection, key: str) -> Row | None:
    """A job with its `project_id`."""
    j, w = t.jobs.c, t.workflows.c
    query = select(t.jobs, w.project_id).join(t.workflows, w.id == j.workflow_id)
    return connection.execute(query.where(j.id == key)).one_or_none()


def list_collections(connection: Connection, chosen: Chosen) -> Listed:
    """With `items`, how many they have; by `project_id`, `name`."""
    c, p = t.collections.c, t.projects.c
    items = c.item_count.label("items")
    query = (
        select(t.collections, items, p.name.label("project_name"))
        .join(t.projects, p.id == c.project_id)
        .where(c.deleted_at.is_(None), seen(c.project_id, chosen.visible))
        .order_by(p.name, c.name)
    )
    columns = {"project_id": c.project_id, "name": c.name}
    times = {"inserted": c.inserted_at, "updated": c.updated_at}
    return chosen_rows(connection, query, chosen, columns, times)
