"""Pages of a long history: whole, in order, and never found by reading all of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Table, collate, create_engine, select, update

from holdfast.platform.store import dataclips, history
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.store.history import Filters, Kind, Place, Range, Wanted
from holdfast.platform.store.history_kinds import RUNS, WORK_ORDERS, begins
from holdfast.platform.store.schema import MIGRATIONS
from support.history import Size, load
from support.history_rows import DAYS, START
from support.plans import scans, statements
from support.platform import Store

SIZE = Size(runs=120, lines=0, projects=3, workflows=2)
MIDDLE = START + DAYS * 86_400_000_000 // 2
BAD = ("failed", "crashed", "killed", "exception", "lost")


@pytest.fixture(scope="module")
def long(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A history of 120 runs: some of the same moment, and some that have not ended."""
    folder = tmp_path_factory.mktemp("long")
    with Store(folder) as store:
        store.database.close()
        load(store.settings.database, SIZE, "lists")
    with Store(folder) as store:
        store.write(_at_once)
        yield store


def _at_once(tx: Transaction) -> None:
    w, r, rows = t.work_orders, t.runs, all_runs(tx.connection)

    def change(table: Table, ids: list[str], **values: Any) -> None:
        tx.connection.execute(update(table).where(table.c.id.in_(ids)).values(**values))

    for table, ids in ((r, [row.id for row in rows]), (w, [row.work_order_id for row in rows])):
        change(table, ids[30:50], inserted_at=MIDDLE)
        change(table, ids[:9], state="available" if table is r else "pending")
        change(table, ids[9:12], state="claimed" if table is r else "pending")
        change(table, ids[12:14], state="started" if table is r else "running")


def all_runs(connection: Connection) -> list[Row]:
    r = t.runs.c
    return list(connection.execute(select(t.runs).order_by(r.inserted_at.desc(), r.id.desc())))


def walk(connection: Connection, kind: Kind, filters: Filters, limit: int) -> list[list[str]]:
    """All pages from the newest to the oldest."""
    pages, after = [], None
    while True:
        found = history.page(connection, kind, filters, Wanted(limit, after=after))
        pages.append([row.id for row in found.rows])
        if (after := found.older) is None:
            return pages


def walk_back(connection: Connection, kind: Kind, filters: Filters, limit: int) -> list[str]:
    """All rows from the oldest page to the newest."""
    found = history.page(connection, kind, filters, Wanted(limit, last=True))
    ids = [row.id for row in found.rows]
    while found.newer is not None:
        found = history.page(connection, kind, filters, Wanted(limit, before=found.newer))
        ids = [row.id for row in found.rows] + ids
    return ids


def chosen(rows: list[Row]) -> Iterator[tuple[str, Filters, Any]]:
    """Filters, each with what it means of a run's row."""
    row, projects = rows[7], sorted({row.project_id for row in rows})
    yield "all", Filters(), lambda _: True
    yield "project", Filters(project_id=row.project_id), lambda r: r.project_id == row.project_id
    yield (
        "visible",
        Filters(visible=frozenset(projects[:2])),
        lambda r: r.project_id in projects[:2],
    )
    yield "none visible", Filters(visible=frozenset()), lambda _: False
    yield (
        "another's",
        Filters(project_id=projects[2], visible=frozenset(projects[:2])),
        (lambda _: False),
    )
    flow = row.workflow_id
    yield "workflow", Filters(workflow_id=flow), lambda r: r.workflow_id == flow
    yield "state", Filters(states=("success",)), lambda r: r.state == "success"
    yield "bad", Filters(states=("failed",)), lambda r: r.state == "failed"
    yield "bad ones", Filters(states=BAD), lambda r: r.state in BAD
    yield (
        "mixed",
        Filters(states=("failed", "success")),
        lambda r: r.state in {"failed", "success"},
    )
    yield "waiting", Filters(states=("available",)), lambda r: r.state == "available"
    going = ("available", "claimed", "started", "lost")
    yield "going on or lost", Filters(states=going), lambda r: r.state in going
    yield "error", Filters(error_type="AdaptorError"), lambda r: r.error_type == "AdaptorError"
    yield "worker", Filters(worker="worker-a"), lambda r: r.worker_name == "worker-a"
    yield "nobody", Filters(worker="nobody"), lambda _: False
    times = Range(MIDDLE, None), Range(None, MIDDLE)
    yield "since", Filters(inserted=times[0]), lambda r: r.inserted_at >= MIDDLE
    yield "until", Filters(inserted=times[1]), lambda r: r.inserted_at <= MIDDLE
    yield "updated", Filters(updated=times[0]), lambda r: r.last_event_at >= MIDDLE
    lengthy = sorted(r.duration_ms for r in rows)[-3]
    yield "long", Filters(duration_ms=Range(lengthy, None)), lambda r: r.duration_ms >= lengthy
    short = Filters(duration_ms=Range(0, lengthy), states=("failed",), workflow_id=flow)
    yield (
        "joined",
        short,
        lambda r: r.duration_ms <= lengthy and r.state == "failed" and r.workflow_id == flow,
    )
    most = sorted(r.peak_memory for r in rows)[60]
    yield "memory", Filters(memory=Range(None, most)), lambda r: r.peak_memory <= most
    yield "id", Filters(id_begins=row.id[:5].upper()), lambda r: r.id.startswith(row.id[:5])
    yield "order", Filters(work_order_id=row.work_order_id), lambda r: r.id == row.id


@pytest.mark.parametrize(("window", "few", "parts"), [(10_000, 1000, 20), (25, 2, 20), (25, 2, 1)])
def test_pages_have_every_run_once_and_in_order_whatever_drives_them(
    long: Store, window: int, few: int, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "WINDOW", window)
    monkeypatch.setattr(history, "FEW", few)
    monkeypatch.setattr(history, "PARTS", parts)

    def look(connection: Connection) -> None:
        rows = all_runs(connection)
        for name, filters, means in chosen(rows):
            expected = [row.id for row in rows if means(row)]
            pages = walk(connection, RUNS, filters, 11)
            assert [key for page in pages for key in page] == expected, name
            assert all(len(page) <= 11 for page in pages)
            assert walk_back(connection, RUNS, filters, 11) == expected, name
            counted = history.count(connection, RUNS, filters)
            assert counted.number == len(expected) if counted.exact else window < 10_000, name

    long.read(look)


def test_work_orders_are_chosen_by_what_one_of_their_runs_was(long: Store) -> None:
    def look(connection: Connection) -> None:
        rows = all_runs(connection)
        rows.sort(key=lambda row: (row.inserted_at, row.work_order_id), reverse=True)
        for name, filters, means in chosen(rows):
            expected = [row.work_order_id for row in rows if means(row)]
            if name not in {"id", "order", "waiting", "going on or lost"}:
                found = [k for p in walk(connection, WORK_ORDERS, filters, 50) for k in p]
                assert found == expected, name
        some = rows[0].work_order_id
        assert walk(connection, WORK_ORDERS, Filters(id_begins=some[:6]), 5) == [[some]]

    long.read(look)


def test_no_list_reads_the_history_from_end_to_end(long: Store) -> None:
    places = (Wanted(20), Wanted(20, after=Place(MIDDLE, "m")), Wanted(20, last=True))

    def look(tx: Transaction) -> None:
        for _, filters, _ in chosen(rows):
            for kind, wanted in itertools.product((RUNS, WORK_ORDERS), places):
                history.page(tx.connection, kind, filters, wanted)
                history.count(tx.connection, kind, filters)

    rows = long.read(all_runs)
    found = scans(long, look, ordered={"ix_runs_inserted_at", "ix_work_orders_inserted_at"})
    assert not found & {table.name for table in t.metadata.sorted_tables}


def test_failures_and_the_last_success_are_found_in_indexes_alone(
    long: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an index has not is read from rows all over the disk, thousands for one page."""
    monkeypatch.setattr(history, "FEW", 0)
    row = next(row for row in long.read(all_runs) if row.state == "failed")
    slow = Filters(
        workflow_id=row.workflow_id, states=("failed",), duration_ms=Range(1, None)
    )  # fmt: skip

    def plans(work: Callable[[Connection], object]) -> list[str]:
        def look(tx: Transaction) -> list[str]:
            with statements(tx.connection) as done:
                work(tx.connection)
            explained = [
                tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {said}", values)
                for said, values in done
            ]
            return [str(row[3]) for rows in explained for row in rows]

        return long.write(look) if long.database.engine.dialect.name == "sqlite" else []

    for found in (plans(lambda c: history.count(c, RUNS, slow)),
                  plans(lambda c: history.newest_ids(c, RUNS, slow, 25))):  # fmt: skip
        assert not [p for p in found if " runs " in p and "COVERING" not in p], found
    for job, index in ((None, "ix_runs_succeeded"), (row.workflow_id, "ix_steps_succeeded")):
        found = plans(partial(dataclips.latest_output, workflow_id=row.workflow_id, job_id=job))
        assert not found or [plan for plan in found if index in plan], found


def test_the_last_success_may_be_older_than_any_number_of_failures(long: Store) -> None:
    r, d = t.runs.c, t.dataclips.c

    def look(tx: Transaction) -> None:
        c = tx.connection
        done = [row for row in all_runs(c) if row.state == "success" and row.final_dataclip_id]
        flow = done[0].workflow_id
        mine = sorted((x for x in done if x.workflow_id == flow), key=lambda x: x.finished_at)
        for last in reversed(mine):
            assert dataclips.latest_output(c, flow, None) == last.final_dataclip_id
            if len(mine) % 2:
                c.execute(update(t.runs).where(r.id == last.id).values(state="failed"))
            else:
                wiped = d.id == last.final_dataclip_id
                c.execute(update(t.dataclips).where(wiped).values(wiped_at=1))
        assert dataclips.latest_output(c, flow, None) is None
        raise _Undone

    with pytest.raises(_Undone):
        long.write(look)


class _Undone(Exception):  # noqa: N818 - it is no error
    """Nothing of it is kept."""


def test_what_is_counted_is_read_from_the_columns_of_the_filters(long: Store) -> None:
    def look(tx: Transaction) -> None:
        for name, filters, _ in chosen(rows):
            with statements(tx.connection) as done:
                history.count(tx.connection, RUNS, filters)
            read = {column.name for column in t.runs.c if any(column.name in a for a, _ in done)}
            assert not read & {"options", "postmortem", "notes", "snapshot_id"}, name
            assert len(read) <= 8, name

    rows = long.read(all_runs)
    long.write(look)


def test_a_search_is_split_where_each_piece_has_an_index() -> None:
    going, bad = ("available", "claimed", "started"), ("failed", "lost")
    assert [part.states for part in Filters(states=(*going, *bad)).parts()] == [
        ("available",), ("failed",), ("lost",), ("claimed", "started"),
    ]  # fmt: skip
    assert [part.states for part in Filters(states=("success", "lost")).parts()] == [
        ("success", "lost")
    ]
    many = frozenset(str(number) for number in range(5000))
    (part,) = Filters(visible=many, project_id="7").parts()
    assert (part.project_id, part.visible) == ("7", None)
    for number, pieces in ((10, 20), (11, 2), (5000, 2)):
        parts = Filters(visible=frozenset([*many][:number]), states=bad).parts()
        assert len(parts) == pieces, "each piece looks at some rows"


@pytest.mark.parametrize("collation", ["C", "en-US-x-icu"])
def test_ids_are_found_by_their_beginning_whatever_the_collation(
    long: Store, collation: str
) -> None:
    def look(connection: Connection) -> None:
        sqlite = connection.dialect.name == "sqlite"
        column = t.runs.c.id if sqlite else collate(t.runs.c.id, collation)
        ids = list(connection.scalars(select(t.runs.c.id)))
        for size in (1, 2, 7, 8, 9, 10, 36):
            text = ids[size][:size]
            found = set(connection.scalars(select(t.runs.c.id).where(begins(column, text))))
            assert found == {key for key in ids if key.startswith(text)}, text

    long.read(look)


def test_runs_from_before_have_their_measures_after_the_migration(
    made: Path, tmp_path: Path
) -> None:
    r = t.runs.c
    measures = select(r.id, r.duration_ms, r.worker_name, r.state).order_by(r.id)
    with Store(tmp_path) as store:
        store.database.close()
        load(store.settings.database, Size(runs=30, lines=0, projects=1, workflows=1))
        engine = create_engine(store.settings.database)
    with engine.begin() as connection:
        expected = [tuple(row) for row in connection.execute(measures)]
        connection.execute(update(t.runs).values(worker_name=None))
    with engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0022")
    engine.dispose()
    with Store(tmp_path) as store:
        found = store.read(lambda c: [tuple(row) for row in c.execute(measures)])
    lost = {row[0] for row in expected if row[3] == "lost"}
    assert found == [(row[0], None if row[0] in lost else row[1], *row[2:]) for row in expected]
