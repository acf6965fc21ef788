"""Large documents of dataclips, kept once in each project, however many clips have the content.

These four functions are all that knows where such a document lies. Whoever wants to keep them
elsewhere, in an object store for instance, writes them anew. A document is named by the SHA-256 of
its project and its text: nobody learns from a name what another project has.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from holdfast.platform.store.database import Transaction, upsert
from holdfast.platform.store.tables import metadata

#: Characters from which a document is kept here. Smaller ones stay with their clips: to look for
#: an equal one would cost more than it saves.
LARGE = 16_384

_BLOBS = Table(
    "blobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("uses", Integer, nullable=False),
)
#: Apart, so that a text is not written anew when it is counted.
_BODIES = Table(
    "blob_bodies",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("body", Text, nullable=False),
)
_BLOB, _BODY = _BLOBS.c, _BODIES.c


def put(tx: Transaction, project_id: str, text: str) -> str:
    """Keep a document for one more clip; its name. To be dropped as often as it was put."""
    content = project_id.encode() + text.encode("utf-8", "surrogatepass")
    name = hashlib.sha256(content).hexdigest()
    # One that is there is counted up, and so is locked: nobody removes it until the commit.
    new = upsert(tx.connection, _BLOBS, ("id",), (), uses=_BLOB.uses + 1)
    uses = tx.connection.scalar(new.returning(_BLOB.uses), {"id": name, "uses": 1})
    if uses == 1:
        tx.connection.execute(insert(_BODIES), {"id": name, "body": text})
    return name


def read(connection: Connection, name: str) -> str | None:
    """The whole document; None: it was dropped."""
    found: str | None = connection.scalar(select(_BODY.body).where(_BODY.id == name))
    return found


def begin(connection: Connection, name: str, most: int) -> tuple[str, int] | None:
    """Its first characters, `most` of them, and how many it has; None: it was dropped."""
    start = func.substr(_BODY.body, 1, most)
    query = select(start, func.length(_BODY.body)).where(_BODY.id == name)
    row = connection.execute(query).one_or_none()
    return None if row is None else (str(row[0]), int(row[1]))


def drop(tx: Transaction, names: Iterable[str]) -> None:
    """So many clips have it no more; with the last one it goes."""
    counted = Counter(names)
    for name in sorted(counted):  # in one order, or two that drop the same wait for each other
        mine = _BLOB.id == name
        less = update(_BLOBS).where(mine).values(uses=_BLOB.uses - counted[name])
        if (tx.connection.scalar(less.returning(_BLOB.uses)) or 0) <= 0:
            tx.connection.execute(delete(_BODIES).where(_BODY.id == name))
            tx.connection.execute(delete(_BLOBS).where(mine))
