"""Full-text search over what runs wrote and had (`store/search.py`)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from holdfast.platform.chores import indexer
from holdfast.platform.chores.cleaner import clean_up
from holdfast.platform.clock import SECOND, now
from holdfast.platform.service import Chore
from holdfast.platform.store import backup, dataclips, retention, search
from holdfast.platform.store import history_tables as h
from holdfast.platform.store import tables as t
from holdfast.platform.store.history import Filters
from holdfast.platform.store.retention import Rule, What
from support.plans import scans, statements
from support.platform import FETCH, PROJECT, Served
from support.postgres import database_of, sqlite_only

SECRET = "zanzibar77"


@pytest.fixture
def chores() -> Iterable[Chore]:
    return ()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs may be indexed at once after their end."""
    monkeypatch.setattr(indexer, "_AFTER_SECONDS", -10)


def ran(
    served: Served, *lines: str, body: Any = None, output: str = '{"data":{}}', **end: Any
) -> str:
    """A run that has ended and is indexed; its id."""
    served.post(body)
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        step = talk.start_step(FETCH)
        for line in lines:
            talk.log(line, step_id=step)
        talk.ok("step:complete", talk.step_end(step, output_dataclip=output))
        talk.complete(**end)
    served.call(indexer.index)
    return talk.id


def found(served: Served, q: str, **asked: Any) -> list[str]:
    answer = served.client.get("/api/search", params={"q": q, **asked})
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["data"]]


def test_colours_are_in_the_way_of_no_search(served: Served) -> None:
    key = ran(served, "\x1b[31merror\x1b[0m code 7", "plain", "\x1b[1mEr\x1b[32mror\x1b[0m code")
    lines = f"/api/runs/{key}/logs/search?q="
    assert served.client.get(f"{lines}error code").json()["data"] == [1, 3]
    assert served.client.get(f"{lines}31m").json()["data"] == []
    assert found(served, "error code") == [key]
    assert found(served, "31m*") == found(served, "31merror") == []
    (item,) = served.client.get("/api/search", params={"q": "error"}).json()["data"]
    assert item["lines"] == [1, 3]
    text = served.client.get(f"/runs/{key}/log.txt").text
    assert "error code 7" in text
    assert "\x1b" not in text


def test_runs_are_found_by_words_of_logs_inputs_and_outputs(served: Served) -> None:
    one = ran(served, "Sent 3 referrals to Kisumu", body={"patient": "Amina"})
    two = ran(served, "nothing sent", "Über-fluss", output='{"data":{"city":"caf\\u00e9\\nGulu"}}')
    assert found(served, "KISUMU") == [one]
    assert found(served, "sent") == [two, one]
    assert found(served, "sent referrals kisumu") == [one]
    assert found(served, "nothing kisumu") == [], "all words in one place"
    assert found(served, "kis*") == [one]
    assert found(served, "kis") == []
    assert found(served, "amina") == found(served, "amina", **{"in": "input"}) == [one]
    assert found(served, "amina", **{"in": "log,output"}) == []
    assert found(served, "café gulu", **{"in": "output"}) == [two]
    assert found(served, "überfluss") == []
    assert found(served, "über") == [two]
    (item,) = served.client.get("/api/search", params={"q": "fluss"}).json()["data"]
    assert item["lines"] == [2]
    assert item["matches"] == [{"kind": "log", "first_line": 1, "last_line": 2}]
    with served.person() as person:
        page = person.get("/runs", params={"q": "kisumu"}).text
        assert one in page
        assert two not in page


def test_runs_are_found_by_ids_of_what_belongs_to_them(served: Served) -> None:
    run = ran(served, "x")
    waits = served.post()
    (step,) = served.steps(run)
    related = served.client.get(f"/api/runs/{run}").json()["data"]["relationships"]
    for key in (step["id"], step["output_dataclip_id"], related["dataclip"]["data"]["id"],
                related["work_order"]["data"]["id"], run[:8].upper()):  # fmt: skip
        assert found(served, key) == [run], key
    assert found(served, waits) == [waits]


def test_a_search_takes_filters_and_goes_on_where_it_stopped(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [ran(served, "common word") for _ in range(3)]
    bad = ran(served, "common word", reason="fail", error_type="E", error_message="m")
    assert found(served, "common", state="failed") == [bad]
    assert found(served, "common", error_type="Other") == []
    for fetched, most, window in ((200, 2000, 4096), (1, 2000, 4096), (1, 1, 16), (200, 2000, 1)):
        monkeypatch.setattr(search, "_WINDOW", window)
        monkeypatch.setattr(search, "_FETCHED", fetched)
        monkeypatch.setattr(search, "_MOST_PARTS", most)
        body = served.client.get("/api/search", params={"q": "common", "page_size": 2}).json()
        told = [item["id"] for item in body["data"]]
        while body["links"]["next"]:
            body = served.client.get(body["links"]["next"]).json()
            told += [item["id"] for item in body["data"]]
        assert told == [bad, *reversed(runs)]


@pytest.mark.parametrize(
    "asked",
    [{"q": ""}, {"q": "'-"}, {"q": "a", "in": "x"}, {"q": "a", "after": "z"},
     {"q": "a", "state": "x"}],
)  # fmt: skip
def test_a_bad_search_is_a_problem_that_names_it(shared: Served, asked: dict[str, str]) -> None:
    answer = shared.client.get("/api/search", params=asked)
    assert answer.status_code == 422
    assert [*asked][-1] in answer.json()["detail"]


@pytest.mark.parametrize("project", ['x"y', "x'y", "x) | (y", "*", ""])
def test_a_project_id_is_no_part_of_the_query_language(shared: Served, project: str) -> None:
    filters = Filters(project_id=project)
    assert shared.write(lambda tx: search.find(tx.connection, "a", filters)).found == []
    answer = shared.client.get("/api/search", params={"q": "a", "project_id": project})
    assert answer.status_code in {200, 404, 422}, answer.text


def test_nobody_finds_what_another_project_has(served: Served) -> None:
    ran(served, SECRET)
    served.deploy({**PROJECT, "name": "other", "workflows": []})
    made = served.client.post(
        "/api/projects/other/tokens", json={"name": "t", "scopes": ["read"], "role": "viewer"}
    )
    assert made.status_code == 201, made.text
    headers = {"authorization": f"Bearer {made.json()['token']}"}
    for path in ("/api/search", "/api/projects/other/search"):
        answer = served.client.get(path, params={"q": SECRET}, headers=headers)
        assert (answer.status_code, answer.json()["data"]) == (200, [])
    project = {"project_id": "demo", "q": SECRET}
    assert served.client.get("/api/search", params=project, headers=headers).json()["data"] == []
    assert found(served, SECRET, project_id="demo") != []
    assert found(served, SECRET, project_id="other") == []


def test_a_long_log_is_indexed_in_parts_and_lines_that_come_late_are_found(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer, "_LINES", 3)
    served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        for n in range(1, 9):
            talk.log(f"line number{n}")
        talk.complete()
        assert served.call(indexer.index) == 1
        assert found(served, "number8") == [talk.id]
        talk.log("an afterthought")
        assert served.call(indexer.index) == 1
    assert found(served, "afterthought") == found(served, "number1") == [talk.id]
    parts = select(func.count()).select_from(h.search_parts).where(h.search_parts.c.kind == "log")
    assert served.write(lambda tx: tx.connection.scalar(parts)) == 3
    assert served.call(indexer.index) == 0


def age(served: Served) -> None:
    """As if everything had happened long ago."""
    at = now() - 100 * 24 * 3600 * SECOND

    def work(tx: Any) -> None:
        tx.connection.execute(update(t.runs).values(finished_at=at))
        tx.connection.execute(update(t.work_orders).values(last_activity=at))
        tx.connection.execute(update(t.dataclips).values(inserted_at=at))

    served.write(work)


def in_file(served: Served) -> bool:
    """Whether the word is anywhere in the database's files."""
    files = Path(served.settings.data).glob("platform.db*")
    return any(SECRET.encode() in path.read_bytes() for path in files)


@pytest.mark.parametrize(
    ("kept", "gone"),
    [({"logs": 1}, "log"), ({"documents": 1}, "input"), ({"runs": 1}, "log,input,output")],
)
def test_what_retention_removes_cannot_be_found(
    served: Served, kept: dict[str, int], gone: str
) -> None:
    ran(served, SECRET, body={"x": SECRET}, output=f'{{"data":"{SECRET}"}}')
    for kind in ("log", "input", "output"):
        assert found(served, SECRET, **{"in": kind})
    age(served)
    served.client.put("/api/projects/demo/retention", json=kept)
    served.call(clean_up)
    assert found(served, SECRET, **{"in": gone}) == []
    assert bool(found(served, SECRET)) is ("runs" not in kept)


@sqlite_only
def test_an_erased_document_is_in_no_page_of_the_index(served: Served) -> None:
    others = [ran(served, f"other {n} words", body={"n": f"w{n}"}) for n in range(3)]
    ran(served, "plain", body={"x": SECRET}, output=f'{{"data":"{SECRET}"}}')
    ran(served, "after it")
    assert in_file(served)
    served.write(
        lambda tx: tx.connection.execute(update(t.projects).values(retention_policy="erase_all"))
    )
    age(served)
    served.call(clean_up)
    assert not in_file(served)
    assert found(served, SECRET) == []
    assert found(served, "other 2") == [others[2]]


@pytest.mark.parametrize("policy", ["retain_with_errors", "erase_all"])
def test_what_the_end_of_a_retry_wipes_cannot_be_found(served: Served, policy: str) -> None:
    first = ran(served, "plain", body={"x": SECRET}, reason="fail", error_type="E")
    ran(served, "another")
    assert found(served, SECRET) == [first]
    served.write(
        lambda tx: tx.connection.execute(update(t.projects).values(retention_policy=policy))
    )
    assert served.client.post(f"/api/runs/{first}/retry").status_code == 201
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        talk.complete()
    assert found(served, SECRET) == []
    served.call(clean_up)
    served.call(indexer.index)
    assert found(served, SECRET) == []
    assert found(served, "another"), "what is kept can be found"
    if served.platform.database.is_sqlite:
        assert not in_file(served)


def test_what_is_removed_or_comes_while_a_run_is_indexed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = indexer._first_parts
    meanwhile = list[Any]()

    def first_parts(platform: Any, run: Any, connection: Any) -> Any:
        parts = read(platform, run, connection)
        while meanwhile:
            platform.database.submit(meanwhile.pop()).result()
        return parts

    monkeypatch.setattr(indexer, "_first_parts", first_parts)
    served.post({"x": SECRET})
    clip = served.write(lambda tx: tx.connection.scalar(select(t.dataclips.c.id)))
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        talk.log("early")
        talk.complete()
        meanwhile.append(lambda tx: dataclips.wipe(tx, clip))
        assert served.call(indexer.index) == 1
        assert found(served, "early") == [talk.id]
        assert found(served, SECRET) == []
        talk.log("soon")
        at = update(t.runs).values(last_event_at=t.runs.c.last_event_at + 1)
        meanwhile.append(lambda tx: tx.connection.execute(at))
        assert served.call(indexer.index) == 0, "something came: it is indexed once more"
        assert served.call(indexer.index) == 1
        talk.log("last")
    gone = Rule("any", What.LOGS, 0)
    meanwhile.append(lambda tx: retention.remove(tx, gone, [talk.id]))
    assert served.call(indexer.index) == 1
    assert found(served, "early") == []


def test_a_run_that_cannot_be_indexed_keeps_no_other_out(
    served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read, bad = indexer._documents, list[str]()

    def documents(platform: Any, connection: Any, run: Any) -> Any:
        if not bad:
            bad.append(run.id)
        if run.id in bad:
            message = "no such key"
            raise ValueError(message)
        return read(platform, connection, run)

    monkeypatch.setattr(indexer, "_documents", documents)
    first = ran(served, "one")
    second = ran(served, "two")
    assert bad == [first]
    assert found(served, "two") == [second]
    assert f"search.skipped run={first}" in capsys.readouterr().err


def test_old_runs_get_their_peak_of_memory_when_they_are_indexed(served: Served) -> None:
    keys = [ran(served, str(number)) for number in range(3)]

    def older(tx: Any) -> None:
        told = ['{"job": 30000000}', '{"job": "?"}', "[1]"]
        for key, mem in zip(keys, told, strict=True):
            mine = select(t.run_steps.c.step_id).where(t.run_steps.c.run_id == key)
            tx.connection.execute(update(t.steps).where(t.steps.c.id.in_(mine)).values(mem=mem))
        tx.connection.execute(update(t.runs).values(peak_memory=None, indexed_at=None))

    served.write(older)
    assert served.call(indexer.index) == 3
    memory = select(t.runs.c.id, t.runs.c.peak_memory)
    found = dict(served.write(lambda tx: [tuple(row) for row in tx.connection.execute(memory)]))
    assert [found[key] for key in keys] == [30_000_000, None, None]


def test_a_document_of_more_words_than_postgresql_takes_is_found_by_some(served: Served) -> None:
    words = " ".join(f"{n:05}" + "é" * 50 for n in range(12_000))
    run = ran(served, "line", body={"x": words})
    assert found(served, "00007" + "é" * 50) == [run]


def test_documents_of_a_project_that_erases_all_are_never_indexed(served: Served) -> None:
    served.write(
        lambda tx: tx.connection.execute(update(t.projects).values(retention_policy="erase_all"))
    )
    ran(served, "line", body={"x": SECRET})
    assert found(served, SECRET) == []
    assert len(found(served, "line")) == 1


def test_a_restored_backup_can_be_searched_once_it_is_indexed(
    served: Served, tmp_path: Path
) -> None:
    run = ran(served, "Kisumu")
    path, again = tmp_path / "a.backup", tmp_path / "again"
    backup.write(served.settings.database, path)
    again.mkdir()
    url = database_of(again).get("database_url", f"sqlite:///{again}/platform.db")
    backup.restore(url, path)
    with Served(again) as other:
        assert found(other, "kisumu") == []
        other.call(indexer.index)
        assert found(other, "kisumu") == [run]


@sqlite_only
def test_found_runs_are_read_by_their_ids_whatever_the_filters(served: Served) -> None:
    run = ran(served, "one")
    row = served.write(lambda tx: tx.connection.execute(select(t.runs)).one())
    filters = Filters(
        project_id=row.project_id, workflow_id=row.workflow_id, worker="frames",
        states=("success",), visible=frozenset([row.project_id]),
    )  # fmt: skip

    def look(tx: Any) -> list[str]:
        ids = {run, *(str(uuid.uuid4()) for _ in range(199))}
        with statements(tx.connection) as done:
            assert [one.id for one in search._passing(tx.connection, ids, filters)] == [run]
        plans = [tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {a}", b) for a, b in done]
        return [str(line[-1]) for plan in plans for line in plan]

    used = [line for line in served.write(look) if " runs" in line]
    assert used == ["SEARCH runs USING INDEX sqlite_autoindex_runs_1 (id=?)"]


def test_indexing_and_looking_for_ids_scan_no_table(served: Served) -> None:
    run = ran(served, "one", "two")
    clip = served.client.get(f"/api/runs/{run}").json()["data"]["relationships"]["dataclip"]

    row = served.write(lambda tx: tx.connection.execute(select(t.runs)).one())

    class Opened:
        write = staticmethod(served.write)

    def work(tx: Any) -> None:
        search.not_indexed(tx.connection, now(), 10)
        with statements(tx.connection) as done:
            assert search._runs_by_id(tx.connection, run[:8]) == {run}
        assert not any("1!=1" in said for said, _ in done), "no step begins so: nobody asks for it"
        assert search.remove_some(tx, runs=[run], clips=[clip["data"]["id"]])
        search.mark_indexed(tx, row, None)

    opened: Any = Opened()
    read = scans(opened, work, ordered={"ix_runs_not_indexed"})
    assert [table for table in read if not table.startswith("anon_")] == []  # a subquery
