"""`language-collections` against the platform's Collections API, with a run's own token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.checking.moving import Step
from support.adaptors import COLLECTIONS, COMMON
from support.platform import PROJECT, Served
from support.runs import Finished, Runs

#: More than one batch of the adaptor's (1000) and more than one page of its reads.
MANY = 2300


class Shelf:
    """A platform with a collection, and a run under way whose token is good for it."""

    def __init__(self, served: Served, token: str) -> None:
        self.served = served
        self.configuration = {
            "collections_endpoint": f"{served.url}/collections",
            "collections_token": token,
        }


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    with Served(Path(tmp_path_factory.mktemp("platform"))) as served:
        names = ("patients", "batch", "moved")
        served.deploy({**PROJECT, "collections": [{"name": name} for name in names]})
        served.post({"n": 1})
        with served.worker() as worker:
            talk = worker.take()
            talk.start()
            yield Shelf(served, talk.run["token"])


def run(runs: Runs, shelf: Shelf, source: str, **changes: Any) -> Finished:
    """A job with common and collections, as the worker adds collections to a step."""
    step = {"id": "job", "expression": source, "adaptors": [COMMON, COLLECTIONS]}
    return runs.workflow([step], credentials={"job": shelf.configuration | changes})


def test_values_come_back_as_they_were_set(runs: Runs, shelf: Shelf) -> None:
    finished = run(
        runs,
        shelf,
        """
        fn(s => ({ ...s, data: [{ id: 'a', n: 1 }, { id: 'b', n: 2, text: 'é "quoted"' }] }));
        collections.set('patients', p => `p-${p.id}`, $.data);
        collections.set('patients', 'single', { deep: { list: [1, null, true] } });
        collections.get('patients', 'p-b');
        fn(s => ({ ...s, one: s.data }));
        collections.get('patients', { key: 'p-*' });
        fn(s => ({ ...s, all: s.data.map(item => [item.key, item.value.n]) }));
        collections.get('patients', 'single');
        fn(s => ({ ...s, single: s.data }));
        collections.get('patients', 'not-there');
        fn(s => ({ data: [s.one, s.all, s.single, s.data] }));
        """,
    )
    assert finished.data == [
        {"id": "b", "n": 2, "text": 'é "quoted"'},
        [["p-a", 1], ["p-b", 2]],
        {"deep": {"list": [1, None, True]}},
        {},
    ]
    stored = shelf.served.client.get("/collections/patients/single").json()
    assert stored["value"] == '{"deep":{"list":[1,null,true]}}'


def test_thousands_are_written_in_batches_and_read_in_pages(runs: Runs, shelf: Shelf) -> None:
    finished = run(
        runs,
        shelf,
        f"""
        fn(s => ({{ ...s, data: Array.from({{ length: {MANY} }}, (_, n) => ({{ n }})) }}));
        collections.set('batch', v => `k-${{String(v.n).padStart(5, '0')}}`, $.data);
        fn(s => ({{ ...s, data: {{}}, sum: 0, seen: new Set() }}));
        collections.each('batch', {{ key: 'k-*', pageSize: 700 }}, (s, value, key) => {{
          s.sum += value.n; s.seen.add(key);
        }});
        fn(s => ({{ ...s, read: [s.sum, s.seen.size] }}));
        collections.get('batch', {{ key: 'k-*', limit: 5 }});
        fn(s => ({{ data: [s.read, s.data.map(i => i.value.n), Boolean(s.data.cursor)] }}));
        """,
    )
    assert finished.data[0] == [sum(range(MANY)), MANY]
    assert finished.data[1] == [0, 1, 2, 3, 4]
    assert any("fetched chunk of 700" in line for line in finished.log())


_ROWS = [{"id": f"p {n}", "n": n, "at": {"é": n / 7}} for n in range(1500)]
_TEXT = 'line;"of"\n' * 60_000


_BY_ID = {str(row["id"]): row for row in _ROWS}
_OF_ROWS = "const d = DATA;\nfn(s => (d[3].n = 'x', { ...s, data: [s.data, d.slice(2, 5)] }))"
_IN_FUNCTION = """fn(s => {
  const d = DATA, all = Object.keys(d);
  d.x = 1;
  return { ...s, data: [s.data, all.slice(-2), d['p 7'], s.references] };
})"""
_OF_TEXT = "const d = DATA;\nfn(s => ({ data: [s.data, d.length, d.slice(499990, 500010)] }))"


@pytest.mark.parametrize(
    ("code", "data"),
    [(_OF_ROWS, _ROWS), (_IN_FUNCTION, _BY_ID), (_OF_TEXT, _TEXT)],
    ids=["list", "map in a function", "text"],
)
def test_a_step_does_the_same_when_its_data_is_moved(
    runs: Runs, shelf: Shelf, code: str, data: Any
) -> None:
    code = code.replace("DATA", json.dumps(data))
    step = Step(code)
    (found,) = step.data
    moved = step.moved(found, "moved", f"{found.items.kind}:")
    assert len(moved.code) < 500
    items = [{"key": key, "value": value} for key, value in moved.items]
    for at in range(0, len(items), 1000):
        stored = shelf.served.client.post("/collections/moved", json={"items": items[at:][:1000]})
        assert stored.is_success, stored.text
    before = run(runs, shelf, "fn(s => ({ ...s, data: { n: 1 } }));" + code)
    after = run(runs, shelf, "fn(s => ({ ...s, data: { n: 1 } }));" + moved.code)
    assert before.outcome.reason == after.outcome.reason == "success"
    assert after.data == before.data


def test_removed_values_are_gone(runs: Runs, shelf: Shelf) -> None:
    finished = run(
        runs,
        shelf,
        """
        collections.set('patients', v => v, ['gone-1', 'gone-2', 'kept']);
        collections.remove('patients', 'gone-1');
        collections.remove('patients', { key: 'gone-*' });
        collections.get('patients', { key: '*' });
        fn(s => ({ data: s.data.map(item => item.key) }));
        """,
    )
    assert "kept" in finished.data
    assert not [key for key in finished.data if key.startswith("gone")]


@pytest.mark.parametrize(
    ("source", "changes", "words"),
    [
        ("collections.get('nowhere', 'a')", {}, "COLLECTION_NOT_FOUND"),
        ("collections.get('patients', 'a')", {"collections_token": "wrong"}, "Unauthorized"),
        ("collections.get('patients', 'a')", {"collections_token": ""}, "INVALID_AUTH"),
        ("collections.set('patients', v => 7, [1])", {}, "KEYGEN_ERROR"),
    ],
)
def test_refusals_are_explained(
    runs: Runs, shelf: Shelf, source: str, changes: dict[str, str], words: str
) -> None:
    finished = run(runs, shelf, source, **changes)
    assert finished.outcome.reason == "fail"
    assert words in str(finished.error)
    token = shelf.configuration["collections_token"]
    assert token not in str(finished.bodies)
