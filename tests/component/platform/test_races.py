"""Several platforms write to one database at the same moment: nothing is lost, nothing fails."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from holdfast.platform.access.policy import Role
from holdfast.platform.project.provision import from_payload
from holdfast.platform.store import accounts, documents
from holdfast.platform.store import collections as items
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Database, Transaction
from holdfast.platform.store.dataclips import insert_clip
from holdfast.platform.store.projects import ChangedError, import_over
from holdfast.platform.store.runs import note
from support.platform import PROJECT, Store

PLATFORMS, EACH = 4, 12


@pytest.fixture
def platforms(store: Store, data: Path) -> Iterator[list[Database]]:
    """The database of the store, opened by several platforms."""
    with ExitStack() as opened:
        databases = []
        for _ in range(PLATFORMS):
            database = Database(store.settings.database, lambda _: None)
            opened.callback(database.close)
            database.open()
            databases.append(database)
        yield databases


def at_once(platforms: list[Database], work: Callable[[Transaction, int], Any]) -> list[Any]:
    """What each platform got for each of its writes; all begin together. Raises their errors."""
    start = threading.Barrier(PLATFORMS)

    def act(number: int) -> list[Any]:
        start.wait(30)
        return [
            platforms[number].submit(lambda tx, n=n: work(tx, number * EACH + n)).result(60)  # type: ignore[misc]
            for n in range(EACH)
        ]

    with ThreadPoolExecutor(PLATFORMS) as pool:
        return [result for results in pool.map(act, range(PLATFORMS)) for result in results]


def test_every_note_is_kept(store: Store, platforms: list[Database]) -> None:
    run_id = store.enqueue()
    at_once(platforms, lambda tx, n: note(tx, run_id, f"what {n}", number=n))
    notes = json.loads(store.run(run_id).notes)
    assert sorted(item["number"] for item in notes) == list(range(PLATFORMS * EACH))


def test_an_administrator_and_one_owner_are_left(store: Store, platforms: list[Database]) -> None:
    project = _project(store)

    def add(number: int) -> str:
        name = f"a{number}@example.org"
        return store.write(
            lambda tx: accounts.add_user(
                tx, email=name, name="", administrator=True, password=None
            )
        )

    people = [accounts.FIRST_ACCOUNT, *(add(number) for number in range(1, PLATFORMS))]

    def work(tx: Transaction, number: int) -> None:
        person = people[number // EACH]
        with suppress(accounts.AccountError), tx.connection.begin_nested():
            accounts.put_member(tx, project, person, Role.OWNER)
            accounts.change_user(tx, person, disabled_at=tx.now)

    at_once(platforms, work)
    left = [row for row in store.read(accounts.list_users) if row.disabled_at is None]
    assert len(left) == 1
    members = store.read(lambda c: accounts.members_of(c, project))
    assert [row.role for row in members].count("owner") == 1


def test_items_of_the_same_keys_are_stored_and_counted(
    store: Store, platforms: list[Database]
) -> None:
    project = store.deploy({**PROJECT, "id": _project(store), "collections": [{"name": "codes"}],
                            "workflows": []})  # fmt: skip
    found = store.read(lambda c: items.find_collection(c, "codes", frozenset({project})))
    assert found is not None
    key = str(found.id)

    def work(tx: Transaction, number: int) -> int:
        if number % 5 == 4:
            return items.delete_item(tx, key, "k1")
        return items.put_items(tx, key, [(f"k{n}", "x" * (number + n)) for n in range(3)])

    at_once(platforms, work)
    rows = store.read(
        lambda c: c.execute(
            select(t.collection_items).where(t.collection_items.c.collection_id == key)
        ).all()
    )
    counted = store.read(
        lambda c: c.scalar(select(t.collections.c.byte_size_sum).where(t.collections.c.id == key))
    )
    assert {row.key for row in rows} <= {"k0", "k1", "k2"}
    assert counted == sum(len(row.key + row.value) for row in rows)


def test_the_same_document_is_stored_once(store: Store, platforms: list[Database]) -> None:
    project, clips = _project(store), [str(uuid.uuid4()) for _ in range(EACH)]

    def work(tx: Transaction, number: int) -> str:
        clip = clips[number % EACH]
        return insert_clip(
            tx, project_id=project, kind="step_result", body='{"n":1}', clip_id=clip
        )

    assert sorted(at_once(platforms, work)) == sorted(clips * PLATFORMS)


def test_no_deployment_undoes_another(store: Store, platforms: list[Database]) -> None:
    """Each adds one to a number that it has read before: as many as succeed are in it."""
    project = _project(store)

    def work(tx: Transaction, _number: int) -> bool:
        current = documents.current_document(tx.connection, project)
        assert current is not None
        count = int(str(current["description"] or 0))
        changed = {"id": project, "name": "demo", "description": str(count + 1)}
        try:
            import_over(tx, current, from_payload({**changed, "workflows": []}), {})
        except ChangedError:
            return False
        return True

    done = sum(at_once(platforms, work))
    after = store.read(lambda c: documents.document(c, project))
    assert done > 0
    assert after["description"] == str(done)


def _project(store: Store) -> str:
    return str(store.read(lambda c: c.scalar(select(t.projects.c.id))))
