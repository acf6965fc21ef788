"""The loaded history that the figures are taken of (`tests/support/history.py`)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlalchemy import func, select

from holdfast.platform.chores import indexer
from holdfast.platform.settings import Settings
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Transaction
from holdfast.platform.store.history_tables import search_parts
from holdfast.platform.store.steps import endings_of
from support.history import Size, load
from support.platform import Served, Store
from support.postgres import database_of

SMALL = Size(runs=40, lines=3, long_log=50, items=5, projects=2, workflows=2)


def loaded(folder: Path, seed: int = 7, size: Size = SMALL, *, searchable: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    url = Settings(data=folder, **database_of(folder)).database
    load(url, size, seed, searchable=searchable)
    return folder


def _rows(connection: Connection) -> list[tuple[object, ...]]:
    r, c = t.runs.c, t.log_lines.c
    query = select(r.id, r.state, c.number, c.message).join(t.log_lines, c.run_id == r.id)
    return [tuple(row) for row in connection.execute(query.order_by(c.id))]


def test_a_seed_makes_the_same_history_again_and_another_seed_another(tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        with Store(loaded(tmp_path / name, seed)) as store:
            found.append(store.read(_rows))
    assert found[0] == found[1] != found[2]
    assert len(found[0]) == 40 * 3 + 50


def test_a_loaded_history_is_whole_and_the_platform_shows_it(made: Path, tmp_path: Path) -> None:
    with Served(loaded(tmp_path)) as served:
        (last, before, *_) = served.client.get("/api/runs").json()["data"]
        assert last["attributes"]["finished_at"] > last["attributes"]["started_at"]
        assert [step["job_name"] for step in served.steps(last["id"])] == [
            "Fetch", "Transform", "Store",
        ]  # fmt: skip
        assert len(served.logs(last["id"])) == 50
        both = [before["id"], last["id"]]
        ends = served.write(lambda tx: endings_of(tx.connection, both, 4))
        assert [row.run_id for row in ends] == [before["id"], *3 * [last["id"]]], "the newest"
        clip = last["relationships"]["final_dataclip"]["data"]["id"]
        assert "data" in served.client.get(f"/api/dataclips/{clip}/body").json()
        (collection,) = served.client.get("/api/collections").json()["data"]
        assert (collection["attributes"]["items"], collection["attributes"]["bytes"]) == (5, 5025)
        assert len(served.client.get("/collections/codes").json()["items"]) == 5
        counted = (t.work_orders, t.runs, t.steps, t.run_steps, t.dataclips, t.dataclip_bodies)
        queries = [select(func.count()).select_from(table) for table in counted]
        found = served.write(lambda tx: [tx.connection.scalar(query) for query in queries])
        assert found == [41, 41, 123, 123, 82, 82]


def test_what_is_loaded_as_searchable_is_what_the_indexer_makes_of_it(
    made: Path, tmp_path: Path
) -> None:
    def parts(tx: Transaction) -> set[tuple[object, ...]]:
        c = search_parts.c  # numbers and projects are others each time
        query = select(c.run_id, c.kind, c.first, c.last, c.clip_id, c.words)
        return {tuple(row) for row in tx.connection.execute(query)}

    def search(served: Served, text: str, project: str) -> list[str]:
        asked = {"q": text, "project": project}
        found = served.client.get("/api/search", params=asked).json()["data"]
        return sorted(item["id"] for item in found)

    size, seen = replace(SMALL, runs=10, long_log=700), []
    for searchable in (False, True):
        folder = loaded(tmp_path / str(searchable), size=size, searchable=searchable)
        with Served(folder) as served:
            served.call(indexer.index)
            run = served.client.get("/api/runs").json()["data"][0]
            project = run["relationships"]["project"]["data"]["id"]
            words = ("patient", "refer* gulu", "merged", run["id"][:8])
            seen.append([served.write(parts), *(search(served, word, project) for word in words)])
    assert seen[0] == seen[1]
    assert len(seen[0][0]) == 10 * 3 + 2 + 2
    assert all(seen[0])
