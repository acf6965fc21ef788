"""Credentials: encrypted bodies, read only for runs whose workflow uses them (4.6)."""

from __future__ import annotations

import json
import uuid

from sqlalchemy import insert, select, update

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject
from holdfast.platform.access.keys import Keys
from holdfast.platform.store import ownership
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction


class CredentialError(HoldfastError):
    """The credential cannot be given; the message is for the run's author."""


def put_credential(
    tx: Transaction, keys: Keys, *, project_id: str, name: str, owner: str, body: JsonObject
) -> str:
    """Set the secret of a credential, making it when there is none of this name."""
    c = t.credentials.c
    sealed = keys.encrypt(json.dumps(body))
    found = tx.connection.scalar(
        select(c.id).where(c.project_id == project_id, c.owner == owner, c.name == name)
    )
    if found is not None:
        tx.connection.execute(
            update(t.credentials).where(c.id == found).values(body=sealed, updated_at=tx.now)
        )
        return str(found)
    key = str(uuid.uuid4())
    tx.connection.execute(
        insert(t.credentials).values(
            id=key,
            project_id=project_id,
            name=name,
            owner=owner,
            body=sealed,
            inserted_at=tx.now,
            updated_at=tx.now,
        )
    )
    return key


def credential_for_run(
    connection: Connection, keys: Keys, run: Row, credential_id: str
) -> JsonObject:
    """The body as the job gets it. Raises CredentialError."""
    c = t.credentials.c
    row = connection.execute(select(c.name, c.body).where(c.id == credential_id)).one_or_none()
    if row is None or not ownership.has_credential(connection, run, credential_id):
        message = "Credential not found!"
        raise CredentialError(message)
    if row.body is None:
        message = f"The credential {row.name!r} has no secret yet: set it on the platform."
        raise CredentialError(message)
    values: Json = json.loads(keys.decrypt(row.body))
    assert isinstance(values, dict)
    return {key: value for key, value in values.items() if value != ""}


def bodies_seen(connection: Connection, keys: Keys, run_id: str) -> list[Json]:
    """The credentials a run has fetched, to rebuild its scrubber."""
    rows = connection.scalars(
        select(t.credentials.c.body)
        .join(t.run_credentials, t.run_credentials.c.credential_id == t.credentials.c.id)
        .where(t.run_credentials.c.run_id == run_id, t.credentials.c.body.is_not(None))
    )
    return [json.loads(keys.decrypt(sealed)) for sealed in rows]


def remember_credential(tx: Transaction, run_id: str, credential_id: str) -> None:
    """The run has seen this secret: its texts are cleaned of it from now on, always."""
    c = t.run_credentials.c
    known = select(c.run_id).where(c.run_id == run_id, c.credential_id == credential_id)
    if tx.connection.scalar(known) is None:
        tx.connection.execute(
            insert(t.run_credentials).values(run_id=run_id, credential_id=credential_id)
        )
