"""A database that is older than a migration keeps all of its data, in the new form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text, update

from holdfast.platform.access.keys import Keys, load_keys
from holdfast.platform.store import collections, credentials, logs
from holdfast.platform.store import tables as t
from holdfast.platform.store.credentials import Place, put_credential
from holdfast.platform.store.database import Transaction
from holdfast.platform.store.schema import MIGRATIONS, REVISIONS, UnknownRevisionError, migrate
from support.platform import PROJECT, Store

OTHER: dict[str, Any] = {"name": "other", "env": "staging"}


def back_to(store: Store, revision: str) -> None:
    """The tables as they were then."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with store.database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
        connection.commit()


def test_data_from_before_each_migration_is_there_after_it(data: Path) -> None:
    keys = load_keys(data, {})
    with Store(data) as store:
        first = store.deploy({**PROJECT, "collections": [{"name": "codes"}]})
        second = store.deploy(OTHER)
        run = store.enqueue()

        def fill(tx: Transaction) -> dict[str, str]:
            made = {
                name: put_credential(
                    tx, keys, project_id=project, name=name, owner="", body={"key": name}
                )
                for name, project in (("main", first), ("staged", second), ("gone", first))
            }
            collection = tx.connection.scalar(select(t.collections.c.id))
            assert collection is not None
            collections.put_items(tx, collection, [("ä", "é€"), ("b", "1")])
            tx.connection.execute(update(t.runs).where(t.runs.c.id == run).values(state="success"))
            return made

        ids = store.write(fill)
        back_to(store, "0014")  # one secret for each credential, of no environment
        migrate(store.database.engine)
        assert store.read(lambda c: body(c, keys, ids["staged"], "staging")) == {"key": "staged"}
        back_to(store, "0004")  # and projects had no environment
        store.write(lambda tx: older(tx.connection, run, ids["gone"]))
        migrate(store.database.engine)

        def look(connection: Connection) -> None:
            for name in ("main", "staged"):
                assert body(connection, keys, ids[name], "main") == {"key": name}
            assert credentials.find(connection, ids["gone"]) is None, "it was marked by its name"
            assert credentials.bodies_had(connection, keys, run) == [{"key": "main"}]
            lines = logs.lines(connection, run, 0, logs.Wanted(lines=10, each=100, together=1000))
            assert [(line.number, line.message) for line in lines] == [(1, "one"), (2, "two")]
            sizes = select(t.collection_items.c.size).order_by(t.collection_items.c.key)
            assert list(connection.scalars(sizes)) == [2, 7], "bytes, not characters"
            assert connection.scalar(select(t.collections.c.item_count)) == 2

        store.read(look)


def body(connection: Connection, keys: Keys, key: str, environment: str) -> Any:
    return credentials.body_at(connection, keys, Place(key, environment))


def older(connection: Connection, run_id: str, gone: str) -> None:
    """Rows as the tables of then had them."""
    connection.execute(text("UPDATE credentials SET name = id WHERE id = :gone"), {"gone": gone})
    main = "SELECT id FROM credentials WHERE name = 'main'"
    connection.execute(
        text(f"INSERT INTO run_credentials (run_id, credential_id) VALUES (:run, ({main}))"),
        {"run": run_id},
    )
    for at, message in enumerate(("one", "two"), start=1):
        connection.execute(
            text(
                "INSERT INTO log_lines (run_id, timestamp, level, source, message)"
                " VALUES (:run, :at, 'info', 'JOB', :message)"
            ),
            {"run": run_id, "at": at, "message": message},
        )


def test_revisions_are_those_of_alembic_the_newest_last() -> None:
    script = ScriptDirectory(str(MIGRATIONS))
    assert [item.revision for item in script.walk_revisions()] == REVISIONS[::-1]


def test_a_schema_that_nobody_knows_is_refused(store: Store) -> None:
    with store.database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UnknownRevisionError, match="9999"):
        migrate(store.database.engine)
