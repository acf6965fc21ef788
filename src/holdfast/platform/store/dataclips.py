"""Dataclips: the stored input and output of runs, as JSON (`docs/spec/platform.md` 1.4, 4.8)."""

from __future__ import annotations

import hashlib
import json
import uuid

from sqlalchemy import Connection, delete, insert, select, update

from holdfast.model.errors import HoldfastError
from holdfast.platform import strict
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Transaction

#: Types whose state is `{"data": body, "request": request}`.
_WRAPPED = frozenset({"http_request", "kafka"})


class ClipConflictError(HoldfastError):
    """A dataclip of this id exists with other content."""


def insert_clip(
    tx: Transaction,
    *,
    project_id: str,
    kind: str,
    body: str,
    request: str | None = None,
    clip_id: str | None = None,
    name: str | None = None,
    wiped: bool = False,
) -> str:
    """Store a JSON text and return its id. The same id with the same content is no error.

    `wiped`: only its existence is kept (projects that save no data). Raises ClipConflictError.
    """
    digest = hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
    if clip_id is None:
        clip_id = str(uuid.uuid4())
    else:
        query = select(t.dataclips.c.digest).where(t.dataclips.c.id == clip_id)
        known = tx.connection.scalar(query)
        if known == digest:
            return clip_id
        if known is not None:
            message = "has already been taken by other content"
            raise ClipConflictError(message)
    tx.connection.execute(
        insert(t.dataclips).values(
            id=clip_id,
            project_id=project_id,
            type=kind,
            name=name,
            size=len(body),
            digest=digest,
            inserted_at=tx.now,
            wiped_at=tx.now if wiped else None,
        )
    )
    if not wiped:
        tx.connection.execute(
            insert(t.dataclip_bodies).values(dataclip_id=clip_id, body=body, request=request)
        )
    return clip_id


def state_text(connection: Connection, clip_id: str | None) -> str:
    """What a run starts with, as JSON text: `null` when the clip is wiped or missing."""
    row = connection.execute(
        select(t.dataclips.c.type, t.dataclip_bodies.c.body, t.dataclip_bodies.c.request)
        .join(t.dataclip_bodies, t.dataclip_bodies.c.dataclip_id == t.dataclips.c.id)
        .where(t.dataclips.c.id == clip_id)
    ).one_or_none()
    if row is None:
        return "null"
    if row.type in _WRAPPED:
        return f'{{"data":{row.body},"request":{row.request or "null"}}}'
    return str(row.body)


def wipe(tx: Transaction, clip_id: str | None) -> None:
    """Forget the content; that it existed stays known."""
    if clip_id is None:
        return
    tx.connection.execute(
        delete(t.dataclip_bodies).where(t.dataclip_bodies.c.dataclip_id == clip_id)
    )
    tx.connection.execute(
        update(t.dataclips)
        .where(t.dataclips.c.id == clip_id, t.dataclips.c.wiped_at.is_(None))
        .values(wiped_at=tx.now)
    )


def object_text(text: str) -> tuple[str, bool]:
    """A state that is a JSON object, and whether it had to be wrapped (4.5 rule 3).

    `configuration` never is stored. Raises ValueError when the text is not JSON.
    """
    value = strict.loads(text)
    if not isinstance(value, dict):
        return json.dumps({"data": value}), True
    if "configuration" in value:
        del value["configuration"]
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")), False
    return text, False
