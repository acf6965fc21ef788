"""Large documents are kept once, whoever asks gets them whole, and none outlives its last clip."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Connection, func, select, text

from holdfast.platform.store import blobs, dataclips
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Transaction
from holdfast.platform.store.schema import MIGRATIONS, migrate
from support.platform import Served, Store

LARGE = '{"ä": "' + "x" * blobs.LARGE + '"}'


@pytest.fixture
def projects(store: Store) -> tuple[str, str]:
    first = store.read(lambda c: c.scalar(select(t.projects.c.id)))
    assert first is not None
    return first, store.deploy({"name": "other"})


def insert(store: Store, project_id: str, body: str = LARGE) -> str:
    return store.write(
        lambda tx: dataclips.insert_clip(tx, project_id=project_id, kind="global", body=body)
    )


def kept(store: Store) -> int:
    def count(connection: Connection) -> int:
        counts = [
            connection.scalar(text(f"SELECT count(*) FROM {name}"))
            for name in ("blobs", "blob_bodies")
        ]
        assert counts[0] == counts[1]
        return int(counts[0] or 0)

    return store.read(count)


def test_one_content_is_kept_once_in_a_project(store: Store, projects: tuple[str, str]) -> None:
    clips = [insert(store, projects[0]) for _ in range(3)] + [insert(store, projects[1])]
    assert kept(store) == 2
    for clip in clips:
        assert store.read(lambda c, clip=clip: dataclips.state_text(c, clip)) == LARGE  # type: ignore[misc]
    small = insert(store, projects[0], '{"n": 1}')
    assert kept(store) == 2
    assert store.read(lambda c: dataclips.body_text(c, small)) == '{"n": 1}'


def test_it_goes_with_the_last_clip_that_has_it(store: Store, projects: tuple[str, str]) -> None:
    first, second = insert(store, projects[0]), insert(store, projects[0])
    third = insert(store, projects[0])
    store.write(lambda tx: dataclips.wipe(tx, first))
    store.write(lambda tx: dataclips.wipe(tx, first))  # a second time changes nothing
    assert store.read(lambda c: dataclips.body_text(c, first)) is None
    assert store.read(lambda c: dataclips.body_text(c, second)) == LARGE
    store.write(lambda tx: dataclips.forget_bodies(tx, [second, third]))
    assert kept(store) == 0
    assert insert(store, projects[0])
    assert kept(store) == 1


def test_an_undone_transaction_counts_nothing(store: Store, projects: tuple[str, str]) -> None:
    clip = insert(store, projects[0])

    def undone(tx: Transaction) -> None:
        blobs.put(tx, projects[0], LARGE)
        dataclips.forget_bodies(tx, [clip])
        raise LookupError

    with pytest.raises(LookupError):
        store.write(undone)
    assert store.read(lambda c: dataclips.body_text(c, clip)) == LARGE


def test_a_run_gets_it_and_a_person_sees_it(served: Served) -> None:
    given = {"rows": "x" * 300_000}
    runs = [served.post(given) for _ in range(2)]
    with served.worker() as worker:
        talk = worker.take()
        assert json.loads(talk.ok("fetch:dataclip", {}))["data"] == given
    mine = select(t.runs.c.dataclip_id).where(t.runs.c.id.in_(runs))
    clips = served.write(lambda tx: list(tx.connection.scalars(mine)))
    assert len(clips) == 2
    for clip in clips:
        answer = served.client.get(f"/api/dataclips/{clip}/body")
        assert answer.json() == given


def test_an_older_version_finds_it_where_it_looks(store: Store, projects: tuple[str, str]) -> None:
    from alembic import command
    from alembic.config import Config

    clip = insert(store, projects[0])
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with store.database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0029")
        connection.commit()
        body = select(t.dataclip_bodies.c.body).where(t.dataclip_bodies.c.dataclip_id == clip)
        assert connection.scalar(body) == LARGE
    migrate(store.database.engine)
    assert store.read(lambda c: dataclips.body_text(c, clip)) == LARGE
    with store.database.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(t.dataclips)) == 1
