"""Credentials: encrypted bodies by environment, read only for runs that use them (4.6)."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, insert, select, update

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject
from holdfast.platform.access.keys import Keys
from holdfast.platform.access.problems import AccessError
from holdfast.platform.project.rules import ENVIRONMENT
from holdfast.platform.scrubbing import Scrubber, Scrubbers
from holdfast.platform.secrets import oauth
from holdfast.platform.store import keychains, ownership
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction, insert_new, upsert

#: The environment of a project that names none.
MAIN = "main"


class CredentialError(HoldfastError):
    """The credential cannot be given; the message is for the run's author."""


@dataclass(frozen=True, slots=True)
class Given:
    """A credential as a job gets it. `version_id` says which secret it was."""

    body: JsonObject = field(repr=False)
    version_id: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret is kept: a credential's value for one environment."""

    credential_id: str
    environment: str


def environment_of(connection: Connection, project_id: str) -> str:
    """The environment of a project, whose values its runs get."""
    kept = connection.scalar(select(t.projects.c.kept).where(t.projects.c.id == project_id))
    named = json.loads(kept or "{}").get("env")
    return named if isinstance(named, str) and ENVIRONMENT.fullmatch(named) else MAIN


#: A credential with the names of its `environments`, spaces between.
SHOWN = (
    t.credentials,
    select(func.aggregate_strings(t.credential_bodies.c.environment, " "))
    .where(t.credential_bodies.c.credential_id == t.credentials.c.id)
    .scalar_subquery()
    .label("environments"),
)


def find(connection: Connection, credential_id: str) -> Row | None:
    """A credential that was not deleted."""
    c = t.credentials.c
    query = select(*SHOWN).where(c.id == credential_id, c.deleted_at.is_(None))
    return connection.execute(query).one_or_none()


def named(connection: Connection, project_id: str, owner: str, name: str) -> Row | None:
    """The credential of this name and owner in a project."""
    c = t.credentials.c
    mine = (c.project_id == project_id, c.owner == owner, c.name == name)
    return connection.execute(select(t.credentials).where(*mine)).one_or_none()


def put_credential(
    tx: Transaction,
    keys: Keys,
    *,
    project_id: str,
    name: str,
    owner: str,
    body: JsonObject,
    environment: str | None = None,
    **changed: Any,
) -> str:
    """Set a secret of a credential, making it when there is none of this name; its id.

    Without `environment` it is the project's own. `changed` are other columns.
    """
    found = named(tx.connection, project_id, owner, name)
    if found is None:
        key = str(uuid.uuid4())
        values = {"id": key, "project_id": project_id, "name": name, "owner": owner}
        times = {"inserted_at": tx.now, "updated_at": tx.now}
        tx.connection.execute(insert(t.credentials).values(**values, **times, **changed))
    else:
        key = str(found.id)
        change(tx, key, **changed)
    where = environment or environment_of(tx.connection, project_id)
    put_body(tx, keys, Place(key, where), body)
    return key


def change(tx: Transaction, credential_id: str, **values: Any) -> None:
    """Change columns of a credential. Raises AccessError when its new name is taken."""
    row = find(tx.connection, credential_id)
    assert row is not None
    new = {name: value for name, value in values.items() if getattr(row, name) != value}
    if not new:
        return
    owner, name = new.get("owner", row.owner), new.get("name", row.name)
    holder = named(tx.connection, row.project_id, owner, name)
    if holder is not None and holder.id != credential_id:
        message = f"another credential of this project is called {name!r}"
        raise AccessError(message, 409)
    mine = t.credentials.c.id == credential_id
    tx.connection.execute(update(t.credentials).where(mine).values(**new, updated_at=tx.now))


def put_body(tx: Transaction, keys: Keys, place: Place, body: JsonObject) -> None:
    """Set the secret of today. Those before it are forgotten, unless a run has had them."""
    if _body(tx.connection, keys, version_at(tx.connection, place)) == body:
        return
    version = str(uuid.uuid4())
    values = {"id": version, "credential_id": place.credential_id, "inserted_at": tx.now}
    sealed = keys.encrypt(json.dumps(body))
    tx.connection.execute(insert(t.credential_versions).values(**values, body=sealed))
    query = upsert(
        tx.connection,
        t.credential_bodies,
        ("credential_id", "environment"),
        ("version_id", "refresh_until"),
    )
    tx.connection.execute(
        query.values(
            credential_id=place.credential_id,
            environment=place.environment,
            version_id=version,
            refresh_until=None,
        )
    )
    mine = t.credentials.c.id == place.credential_id
    tx.connection.execute(update(t.credentials).where(mine).values(updated_at=tx.now))
    _forget_versions(tx, place.credential_id)


def remove_body(tx: Transaction, place: Place) -> bool:
    """Forget the value for one environment; False when there is none."""
    b = t.credential_bodies.c
    mine = (b.credential_id == place.credential_id, b.environment == place.environment)
    gone = tx.connection.scalar(delete(t.credential_bodies).where(*mine).returning(b.version_id))
    _forget_versions(tx, place.credential_id)
    return gone is not None


def delete_credential(tx: Transaction, credential_id: str) -> list[str]:
    """Delete a credential that nothing uses; else what uses it.

    The secrets that runs were given stay, encrypted: what they wrote is cleaned of them.
    """
    used = _users(tx.connection, credential_id)
    if used:
        return used
    c, j, v = t.credentials.c, t.jobs.c, t.credential_versions.c
    # jobs of deleted workflows
    unused = update(t.jobs).where(j.credential_id == credential_id).values(credential_id=None)
    tx.connection.execute(unused)
    bodies = t.credential_bodies
    tx.connection.execute(delete(bodies).where(bodies.c.credential_id == credential_id))
    _forget_versions(tx, credential_id)
    kept = select(v.id).where(v.credential_id == credential_id).limit(1)
    if tx.connection.scalar(kept) is None:
        tx.connection.execute(delete(t.credentials).where(c.id == credential_id))
    else:
        gone = {"name": c.id, "deleted_at": tx.now, "updated_at": tx.now}  # the name is free again
        tx.connection.execute(update(t.credentials).where(c.id == credential_id).values(**gone))
    return []


def _users(connection: Connection, credential_id: str) -> list[str]:
    """Jobs and keychains that use a credential, in words."""
    j, w, k = t.jobs.c, t.workflows.c, t.keychains.c
    jobs = connection.execute(
        select(j.name, w.name.label("workflow"))
        .join(t.workflows, w.id == j.workflow_id)
        .where(j.credential_id == credential_id, w.deleted_at.is_(None))
        .order_by(w.name, j.name)
    )
    chains = connection.scalars(select(k.name).where(k.default_credential_id == credential_id))
    return [f"job {row.name} of {row.workflow}" for row in jobs] + [
        f"keychain {name}" for name in chains
    ]


def _forget_versions(tx: Transaction, credential_id: str) -> None:
    """Remove secrets that are nobody's any more and that no run has had."""
    v = t.credential_versions.c
    had, today = select(t.run_secrets.c.version_id), select(t.credential_bodies.c.version_id)
    tx.connection.execute(
        delete(t.credential_versions).where(
            v.credential_id == credential_id, v.id.not_in(had), v.id.not_in(today)
        )
    )


def version_at(connection: Connection, place: Place) -> str | None:
    """Which secret a credential has for an environment; None: none."""
    b = t.credential_bodies.c
    mine = (b.credential_id == place.credential_id, b.environment == place.environment)
    found: str | None = connection.scalar(select(b.version_id).where(*mine))
    return found


def body_at(connection: Connection, keys: Keys, place: Place) -> JsonObject | None:
    """The secret of a credential for an environment; None: there is none."""
    found = _body(connection, keys, version_at(connection, place))
    return found if isinstance(found, dict) else None


def _body(connection: Connection, keys: Keys, version_id: str | None) -> Json:
    v = t.credential_versions.c
    sealed = connection.scalar(select(v.body).where(v.id == version_id))
    return None if sealed is None else json.loads(keys.decrypt(sealed))


def chosen_for_run(connection: Connection, run: Row, asked: str) -> Row | None:
    """The credential that a run gets for this id, a credential's or a keychain's.

    None: a keychain finds none, which is no mistake. Raises CredentialError.
    """
    key: str | None = asked
    if ownership.has_keychain(connection, run, asked):
        key = keychains.choose(connection, run, asked)
    elif not ownership.has_credential(connection, run, asked):
        key = ""
    if key is None:
        return None
    row = find(connection, key)
    if row is None:
        message = "Credential not found!"
        raise CredentialError(message)
    return row


def given_to_run(connection: Connection, keys: Keys, row: Row) -> Given:
    """The secret of today for the project's environment, as a job gets it.

    Raises CredentialError.
    """
    place = Place(row.id, environment_of(connection, row.project_id))
    version = version_at(connection, place)
    values = _body(connection, keys, version)
    if version is None or values is None:
        missing = "no secret yet"
        if row.environments:
            others = ", ".join(sorted(row.environments.split()))
            where = f"{place.environment!r} of this project, only for {others}"
            missing = f"no value for the environment {where}"
        message = f"The credential {row.name!r} has {missing}: set it on the platform."
        raise CredentialError(message)
    assert isinstance(values, dict)
    body = {key: value for key, value in values.items() if value != ""}
    return Given(body if row.oauth_client_id is None else oauth.for_run(body), version)


def names_of(connection: Connection, ids: set[str]) -> dict[str, str]:
    """The names of credentials by id; those that were deleted have none."""
    c = t.credentials.c
    mine = (c.id.in_(sorted(ids)), c.deleted_at.is_(None))
    rows = connection.execute(select(c.id, c.name).where(*mine))
    return {row.id: row.name for row in rows}


def remember_secret(tx: Transaction, run_id: str, version_id: str) -> None:
    """The run was given this secret: its texts are cleaned of it from now on, always."""
    row = {"run_id": run_id, "version_id": version_id}
    tx.connection.execute(insert_new(tx.connection.dialect.name, t.run_secrets), row)


#: Built once, as in `runs.py`.
_HAD = select(t.run_secrets.c.version_id).where(t.run_secrets.c.run_id == bindparam("of_run"))


def bodies_had(connection: Connection, keys: Keys, run_id: str) -> list[Json]:
    """The secrets that a run was given, to clean what it writes from now on."""
    versions = connection.scalars(_HAD, {"of_run": run_id})
    return [_body(connection, keys, version) for version in versions]


def scrubber_of(
    connection: Connection, keys: Keys, scrubbers: Scrubbers, run_ids: Select[tuple[str]]
) -> Scrubber:
    """What cleans a text of the secrets that these runs had when they wrote it."""
    s = t.run_secrets.c
    found = connection.scalars(select(s.version_id).where(s.run_id.in_(run_ids)))
    versions = frozenset(found)
    return scrubbers.of(versions, lambda: [_body(connection, keys, one) for one in versions])


def run_scrubber(
    connection: Connection, keys: Keys, scrubbers: Scrubbers, run_id: str
) -> Scrubber:
    """What cleans a text of the secrets that this run had."""
    versions = frozenset(connection.scalars(_HAD, {"of_run": run_id}))
    return scrubbers.of(versions, lambda: [_body(connection, keys, one) for one in versions])
