"""Collections cost few statements and short transactions, however many items there are."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.platform.chores.cleaner import clean_up
from holdfast.platform.store import collections as items
from holdfast.platform.store import tables as t
from holdfast.platform.store.collections import Selection
from support.plans import scans, statements
from support.platform import PROJECT, Served, Store

ALL = Selection(None, (), 1000, 0)


@pytest.fixture
def codes(store: Store) -> str:
    """The id of a collection."""
    project = {**PROJECT, "id": str(uuid.UUID(int=7)), "name": "coded", "workflows": [],
               "collections": [{"name": "codes"}]}  # fmt: skip
    found = store.deploy(project)
    row = store.read(lambda c: items.find_collection(c, "codes", frozenset({found})))
    assert row is not None
    return str(row.id)


def recording(submit: Callable[[Any], Any], written: list[Any]) -> Callable[[Any], Any]:
    """`submit`, which keeps what it is given."""

    def recorded(work: Any) -> Any:
        written.append(work)
        return submit(work)

    return recorded


def counted(store: Store, collection: str) -> tuple[int, int]:
    c = t.collections.c
    query = t.collections.select().where(c.id == collection)
    row = store.read(lambda connection: connection.execute(query).one())
    return row.item_count, row.byte_size_sum


def test_a_thousand_items_need_as_many_statements_as_one(store: Store, codes: str) -> None:
    def executed(tx: Any, number: int) -> int:
        with statements(tx.connection) as done:
            items.put_items(tx, codes, [(f"k{n}", "é") for n in range(number)])
        return len(done)

    one = store.write(lambda tx: executed(tx, 1))
    assert store.write(lambda tx: executed(tx, 1000)) == one <= 4
    assert counted(store, codes) == (1000, sum(len(f"k{n}") + 2 for n in range(1000)))


def test_items_keep_their_order_and_any_text(store: Store, codes: str) -> None:
    given = [("b", '"quoted" \\ {é} 😀\n'), ("a", ""), ("c'; --", "null"), ("[1]", "1e999")]
    store.write(lambda tx: items.put_items(tx, codes, given))
    store.write(lambda tx: items.put_items(tx, codes, [("a", "new"), ("d", "4")]))
    found = store.read(lambda c: items.page(c, codes, ALL, 10))
    expected = [given[0], ("a", "new"), *given[2:], ("d", "4")]
    assert [(row.key, row.value) for row in found] == expected
    assert [row.size for row in found] == [len((k + v).encode()) for k, v in expected]
    assert counted(store, codes) == (5, sum(row.size for row in found))


def test_pieces_are_bounded_in_items_and_in_bytes() -> None:
    many = list(items.pieces([(f"k{n}", "x") for n in range(2500)]))
    assert [len(piece) for piece in many] == [1000, 1000, 500]
    large = list(items.pieces([(f"k{n}", "x" * 600_000) for n in range(3)]))
    assert [len(piece) for piece in large] == [1, 1, 1]
    assert list(items.pieces([])) == [[]]


def test_deleting_many_takes_bounded_steps_and_reads_no_value(store: Store, codes: str) -> None:
    for start in range(0, 2500, 500):
        rows = [(f"k{n}", "x" * 50) for n in range(start, start + 500)]
        store.write(lambda tx, rows=rows: items.put_items(tx, codes, rows))  # type: ignore[misc]
    ids = store.read(lambda c: items.some_items(c, codes, ALL, 0))
    assert len(ids) == 1000

    def delete(tx: Any) -> list[str]:
        with statements(tx.connection) as done:
            assert items.delete_some(tx, codes, ids, ALL) == 1000
        return [said for said, _ in done]

    assert all("value" not in said.split("WHERE")[0] for said in store.write(delete))
    assert counted(store, codes)[0] == 1500


def test_what_changed_since_it_was_chosen_is_not_deleted(store: Store, codes: str) -> None:
    store.write(lambda tx: items.put_items(tx, codes, [("a", "1"), ("b", "2")]))
    before = Selection(None, (items.Bound("updated_at", False, 2**62),), 1000, 0)
    ids = store.read(lambda c: items.some_items(c, codes, before, 0))
    none = Selection(None, (items.Bound("updated_at", False, 1),), 1000, 0)
    assert store.write(lambda tx: items.delete_some(tx, codes, ids, none)) == 0
    assert store.write(lambda tx: items.delete_some(tx, codes, ids, before)) == 2


def test_writes_of_a_collection_scan_no_table(store: Store, codes: str) -> None:
    put = [("a", "1"), ("b", "2")]
    assert scans(store, lambda tx: items.put_items(tx, codes, put)) <= {"json_each"}
    ids = store.read(lambda c: items.some_items(c, codes, ALL, 0))
    assert scans(store, lambda tx: items.some_items(tx.connection, codes, ALL, 0)) == set()
    assert scans(store, lambda tx: items.delete_some(tx, codes, ids, ALL)) == set()


def test_a_large_request_and_a_large_deletion_let_others_write_between(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = {"name": "coded", "workflows": [], "collections": [{"name": "codes"}]}
    served.deploy(project)
    written = list[Any]()
    database = served.platform.database
    monkeypatch.setattr(database, "_put", recording(database._put, written))
    given = [{"key": f"k{n}", "value": "x"} for n in range(2500)]
    answer = served.client.post("/collections/codes", json={"items": given})
    assert answer.json() == {"upserted": 2500, "error": None}
    assert sum(work.heavy for work in written) >= 3
    written.clear()
    gone = served.client.delete("/collections/codes")
    assert gone.json() == {"key": None, "deleted": 2500, "error": None}
    assert sum(work.heavy for work in written) >= 3


def test_a_removed_collection_is_gone_at_once_and_its_items_step_by_step(served: Served) -> None:
    project = {"name": "coded", "workflows": [], "collections": [{"name": "codes"}]}
    body = served.deploy(project)["data"]
    (collection,) = body["collections"]
    given = [{"key": f"k{n}", "value": "x"} for n in range(1200)]
    assert served.client.post("/collections/codes", json={"items": given}).status_code == 200
    gone = {**body, "collections": [{**collection, "delete": True}]}
    assert served.client.post("/api/provision", json=gone).status_code == 201
    assert served.client.get("/collections/codes").status_code == 404
    named = [item["attributes"]["name"]
             for item in served.client.get("/api/collections").json()["data"]]  # fmt: skip
    assert "codes" not in named
    again = {**body, "collections": [{"name": "codes"}]}
    assert served.client.post("/api/provision", json=again).status_code == 201
    assert served.client.get("/collections/codes").json()["items"] == []
    served.call(clean_up)
    left = served.write(lambda tx: tx.connection.execute(t.collections.select()).all())
    assert [row.id for row in left if row.deleted_at is not None] == []
