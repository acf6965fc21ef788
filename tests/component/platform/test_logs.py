"""Logs of runs: numbered, found by number, searched in bounded pieces."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest
from sqlalchemy import insert

from holdfast.platform.store import logs
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Transaction
from holdfast.protocol.messages import LogLine
from support.plans import scans, statements
from support.platform import RunTalk, Served, Store

WANTED = logs.Wanted(lines=50, each=100, together=100_000)


@pytest.fixture
def talk(served: Served) -> Iterator[RunTalk]:
    served.post()
    with served.worker() as worker:
        yield worker.take()


def fill(tx: Transaction, run_id: str, number: int) -> None:
    """Lines as a run with a long log has them."""
    rows = [
        {"run_id": run_id, "number": n, "timestamp": n, "level": "info", "source": "JOB",
         "message": f"Line {n} of Many"}
        for n in range(1, number + 1)
    ]  # fmt: skip
    tx.connection.execute(insert(t.log_lines), rows)


def line(text: str, key: str | None) -> tuple[LogLine, str]:
    return LogLine(message=[text], timestamp="1", level="info", source="JOB", id=key), text


def test_each_run_numbers_its_own_lines_and_one_sent_again_has_no_second_number(
    store: Store,
) -> None:
    one, other = store.enqueue(), store.enqueue()
    add = [("a", "1"), ("b", "2"), ("b", "2"), ("c", None)]
    store.write(lambda tx: logs.add(tx, one, [line(*item) for item in add]))
    store.write(lambda tx: logs.add(tx, other, [line("x", "1")]))
    last = store.write(lambda tx: logs.add(tx, one, [line("b", "2"), line("d", "3")]))
    found = store.read(lambda c: logs.lines(c, one, 0, WANTED))
    assert [(row.number, row.message) for row in found] == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]
    assert last == 4
    assert store.read(lambda c: logs.count(c, other)) == 1


def test_the_middle_of_a_long_log_is_read_by_its_numbers_alone(store: Store) -> None:
    run_id = store.enqueue()
    store.write(lambda tx: fill(tx, run_id, 3000))
    found = store.read(lambda c: logs.lines(c, run_id, 1500, WANTED))
    assert [row.number for row in found] == list(range(1501, 1551))
    assert store.read(lambda c: logs.count(c, run_id)) == 3000
    assert scans(store, lambda tx: logs.lines(tx.connection, run_id, 1500, WANTED)) == set()
    assert scans(store, lambda tx: logs.count(tx.connection, run_id)) == set()


def test_a_batch_of_lines_needs_the_same_few_statements_whatever_its_size(store: Store) -> None:
    run_id = store.enqueue()
    store.write(lambda tx: logs.add(tx, run_id, [line("first", "0")]))

    def executed(tx: Transaction, number: int, start: int) -> int:
        batch = [line("x", str(start + n)) for n in range(number)]
        with statements(tx.connection) as done:
            logs.add(tx, run_id, batch)
        return len({said for said, _ in done})

    assert store.write(lambda tx: executed(tx, 1, 1)) == store.write(
        lambda tx: executed(tx, 400, 2)
    )


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("line 7 ", [7]), ("LINE 300", [300]), ("Line 1_", []), ("%", []), ("of many", [1, 2, 3])],
)
def test_search_finds_a_text_as_it_is_written_in_any_case(
    store: Store, text: str, numbers: list[int]
) -> None:
    run_id = store.enqueue()
    store.write(lambda tx: fill(tx, run_id, 300))
    assert store.read(lambda c: logs.search(c, run_id, text, most=3)).numbers == numbers


def test_a_search_looks_at_a_bounded_part_and_says_where_to_go_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "SEARCHED", 100)
    run_id = store.enqueue()
    store.write(lambda tx: fill(tx, run_id, 250))
    found = store.read(lambda c: logs.search(c, run_id, "line 201 "))
    assert found == logs.Matches([], 100)
    assert store.read(lambda c: logs.search(c, run_id, "line 201 ", after=200)) == logs.Matches(
        [201], None
    )
    assert store.read(lambda c: logs.search(c, run_id, "line", after=100, most=5)) == logs.Matches(
        [101, 102, 103, 104, 105], 105
    )


def test_a_search_that_is_continued_counts_no_line_twice(served: Served, talk: RunTalk) -> None:
    served.write(lambda tx: fill(tx, talk.id, 500))
    first = served.client.get(f"/runs/{talk.id}?part=log&q=line").text
    assert "200 lines with “line” in lines 1 to 200 of 500" in first
    found = re.search(r'href="([^"#]+)[^"]*"[^>]*>search on', first)
    assert found
    second = served.client.get(html.unescape(found[1]) + "&part=log").text
    assert "200 lines with “line” in lines 201 to 400 of 500" in second


def test_the_api_gives_any_part_of_a_log_and_searches_it(served: Served, talk: RunTalk) -> None:
    served.write(lambda tx: fill(tx, talk.id, 500))
    path = f"/api/runs/{talk.id}/logs"
    answer = served.client.get(f"{path}?after=300&limit=2").json()
    assert [item["number"] for item in answer["data"]] == [301, 302]
    assert answer["meta"] == {"total": 500}
    found = served.client.get(f"{path}/search?q=line 40&limit=3").json()
    assert found == {"data": [40, 400, 401], "meta": {"searched_to": 401}}
    for bad in ("search", "search?q=", "search?q=x&after=-1", "search?q=x&limit=0"):
        assert served.client.get(f"{path}/{bad}").status_code == 422, bad
    assert served.client.get(f"{path}?limit=100000").status_code == 422


def test_the_form_of_a_log_leads_to_its_line_without_a_script(shared: Served) -> None:
    run = shared.post()
    asked = f"/runs/{run}?show=all&q=&line=73%2C412&go=line"
    answer = shared.client.get(asked, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/runs/{run}?show=all&q=&line=73%2C412#L73412"
    assert shared.client.get(f"{asked}&part=log").status_code == 200
    assert shared.client.get(f"/runs/{run}?show=all&line=&go=line").status_code == 200
