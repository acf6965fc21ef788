"""Credentials: encrypted bodies, read only for runs whose workflow uses them (4.6)."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field

from sqlalchemy import Select, delete, insert, select, update

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject
from holdfast.platform.access.keys import Keys
from holdfast.platform.scrubbing import Scrubber, Scrubbers
from holdfast.platform.store import ownership
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction, insert_new


class CredentialError(HoldfastError):
    """The credential cannot be given; the message is for the run's author."""


@dataclass(frozen=True, slots=True)
class Given:
    """A credential as a job gets it. `version_id` says which secret it was."""

    body: JsonObject = field(repr=False)
    version_id: str


def put_credential(
    tx: Transaction, keys: Keys, *, project_id: str, name: str, owner: str, body: JsonObject
) -> str:
    """Set the secret of a credential, making it when there is none of this name."""
    c = t.credentials.c
    found = tx.connection.execute(
        select(c.id, c.version_id).where(
            c.project_id == project_id, c.owner == owner, c.name == name
        )
    ).one_or_none()
    if found is None:
        key = str(uuid.uuid4())
        values = {"id": key, "project_id": project_id, "name": name, "owner": owner}
        times = {"inserted_at": tx.now, "updated_at": tx.now}
        tx.connection.execute(insert(t.credentials).values(**values, **times))
    else:
        key = str(found.id)
        if _body(tx.connection, keys, found.version_id) == body:
            return key
    _new_version(tx, keys, key, body)
    return key


def _body(connection: Connection, keys: Keys, version_id: str | None) -> Json:
    v = t.credential_versions.c
    sealed = connection.scalar(select(v.body).where(v.id == version_id))
    return None if sealed is None else json.loads(keys.decrypt(sealed))


def _new_version(tx: Transaction, keys: Keys, credential_id: str, body: JsonObject) -> None:
    """Set the secret of today. Those before it are forgotten, unless a run has had them."""
    v, c = t.credential_versions.c, t.credentials.c
    version = str(uuid.uuid4())
    values = {"id": version, "credential_id": credential_id, "inserted_at": tx.now}
    sealed = keys.encrypt(json.dumps(body))
    tx.connection.execute(insert(t.credential_versions).values(**values, body=sealed))
    changes = {"version_id": version, "updated_at": tx.now}
    tx.connection.execute(update(t.credentials).where(c.id == credential_id).values(**changes))
    had = select(t.run_secrets.c.version_id)
    tx.connection.execute(
        delete(t.credential_versions).where(
            v.credential_id == credential_id, v.id != version, v.id.not_in(had)
        )
    )


def credential_for_run(connection: Connection, keys: Keys, run: Row, credential_id: str) -> Given:
    """The secret of today, as the job gets it. Raises CredentialError."""
    c = t.credentials.c
    row = connection.execute(
        select(c.name, c.version_id).where(c.id == credential_id)
    ).one_or_none()
    if row is None or not ownership.has_credential(connection, run, credential_id):
        message = "Credential not found!"
        raise CredentialError(message)
    values = _body(connection, keys, row.version_id)
    if values is None:
        message = f"The credential {row.name!r} has no secret yet: set it on the platform."
        raise CredentialError(message)
    assert isinstance(values, dict)
    return Given({key: value for key, value in values.items() if value != ""}, row.version_id)


def remember_secret(tx: Transaction, run_id: str, version_id: str) -> None:
    """The run was given this secret: its texts are cleaned of it from now on, always."""
    row = {"run_id": run_id, "version_id": version_id}
    tx.connection.execute(insert_new(tx.connection, t.run_secrets).values(**row))


def bodies_had(connection: Connection, keys: Keys, run_id: str) -> list[Json]:
    """The secrets that a run was given, to clean what it writes from now on."""
    versions = _versions_had(connection, select(t.runs.c.id).where(t.runs.c.id == run_id))
    return [_body(connection, keys, version) for version in versions]


def scrubber_of(
    connection: Connection, keys: Keys, scrubbers: Scrubbers, run_ids: Select[tuple[str]]
) -> Scrubber:
    """What cleans a text of the secrets that these runs had when they wrote it."""
    versions = _versions_had(connection, run_ids)
    return scrubbers.of(versions, lambda: [_body(connection, keys, one) for one in versions])


def run_scrubber(
    connection: Connection, keys: Keys, scrubbers: Scrubbers, run_id: str
) -> Scrubber:
    """What cleans a text of the secrets that this run had."""
    return scrubber_of(
        connection, keys, scrubbers, select(t.runs.c.id).where(t.runs.c.id == run_id)
    )


def _versions_had(connection: Connection, run_ids: Select[tuple[str]]) -> frozenset[str]:
    s = t.run_secrets.c
    return frozenset(connection.scalars(select(s.version_id).where(s.run_id.in_(run_ids))))
