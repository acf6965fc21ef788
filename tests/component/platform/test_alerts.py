"""Alerts: what is told, to whom, how often, and what becomes of receivers that fail."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import ColumnElement, select

from holdfast.cli.main import cli
from holdfast.platform import receivers
from holdfast.platform.chores import teller
from holdfast.platform.chores.cleaner import clean_up
from holdfast.platform.chores.teller import digest, due, key_of
from holdfast.platform.clock import SECOND
from holdfast.platform.receivers import NotTold
from holdfast.platform.service import Chore, Platform
from holdfast.platform.store import alert_tables as a
from holdfast.platform.store import alerts
from holdfast.platform.store import tables as t
from holdfast.platform.store.retention import Rule, What, remove
from support.platform import Served, beside
from support.waiting import eventually

EGRESS = {"alerts_egress": "public,127.0.0.1"}


class Receiver:
    """Takes alerts, and answers as it is told."""

    def __init__(self) -> None:
        self.got = list[dict[str, Any]]()
        self.keys = list[str]()
        self.hosts = list[str]()
        self.status = 200
        self.refused: str | None = None  # a run
        self.hang: threading.Event | None = None
        mine = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                mine.got.append(json.loads(body))
                mine.hosts.append(self.headers["host"])
                mine.keys.append(self.headers["idempotency-key"])
                if mine.hang is not None:
                    mine.hang.wait(300)
                refused = mine.refused is not None and mine.got[-1].get("run") == mine.refused
                self.send_response(400 if refused else mine.status)
                self.send_header("location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/secret-path"

    def events(self) -> list[str]:
        return [item["event"] for item in self.got]


@pytest.fixture
def chores() -> Iterable[Chore]:
    return ()


@pytest.fixture
def served(data: Path, chores: Iterable[Chore]) -> Iterator[Served]:
    """A platform whose operator lets it tell receivers on this machine."""
    with Served(data, chores=chores, **EGRESS) as server:
        server.deploy()
        yield server


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        if receiver.hang is not None:
            receiver.hang.set()
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def add(served: Served, target: str, **more: Any) -> str:
    body = {"webhook": target, **more}
    answer = served.client.post("/api/projects/demo/alerts", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


def end(
    served: Served, reason: str, message: str = "it went wrong", *, alone: bool = False
) -> str:
    if alone:
        served.try_step()
    else:
        served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        talk.complete(reason=reason, error_type="Oops", error_message=message)
    return talk.id


def has_got(receiver: Receiver, number: int) -> bool:
    return len(receiver.got) == number


async def tell_due(platform: Platform) -> None:
    await asyncio.gather(*await due(platform, set()))


def now_due(served: Served, *which: ColumnElement[bool]) -> None:
    """Time passes."""
    late = a.alert_messages.update().where(*which).values(due_at=1)
    served.write(lambda tx: tx.connection.execute(late))


def messages(served: Served) -> list[Any]:
    """The outbox, oldest first."""
    query = a.alert_messages.select().order_by(a.alert_messages.c.inserted_at)
    return served.write(lambda tx: list(tx.connection.execute(query)))


def listed(served: Served) -> dict[str, Any]:
    return dict(served.client.get("/api/projects/demo/alerts").json()["data"][0])


def test_the_first_failure_and_the_recovery_are_told_once(
    served: Served, receiver: Receiver
) -> None:
    add(served, receiver.url)
    for reason in ("success", "fail", "fail", "success", "success", "crash", "cancel"):
        end(served, reason)
        for tried in ("success", "fail"):
            end(served, tried, alone=True)
        served.call(tell_due)
    assert receiver.events() == ["first_failure", "recovery", "first_failure"]
    first = receiver.got[0]
    assert (first["project"], first["workflow"], first["state"]) == ("demo", "Referrals", "failed")
    assert first["text"] == "Referrals (demo) fails since now: Oops it went wrong"


def test_each_failure_is_told_where_that_is_asked(served: Served, receiver: Receiver) -> None:
    add(served, receiver.url, events=["failure"])
    runs = [end(served, "fail") for _ in range(3)]
    served.call(tell_due)
    served.call(tell_due)
    assert [item["run"] for item in receiver.got] == runs


def test_a_digest_tells_all_in_one(served: Served, receiver: Receiver) -> None:
    add(served, receiver.url, events=["failure"], digest_minutes=60)
    for _ in range(3):
        end(served, "fail")
    served.call(tell_due)
    assert receiver.got == []
    now_due(served)
    served.call(tell_due)
    (one,) = receiver.got
    assert (one["event"], one["count"], len(one["alerts"])) == ("digest", 3, 3)


def test_a_long_digest_says_how_many_more_there_are() -> None:
    told = digest([{"text": str(n)} for n in range(150)])
    assert (told["count"], str(told["text"]).splitlines()[-1]) == (150, "and 50 more")


def test_a_receiver_that_fails_is_tried_again_later_and_given_up(
    served: Served, receiver: Receiver
) -> None:
    add(served, receiver.url, events=["failure"])
    receiver.status = 302
    end(served, "fail")
    served.call(tell_due)
    served.call(tell_due)
    assert len(receiver.got) == 1, "not again at once, and not elsewhere"
    assert listed(served)["problem"] == "the receiver answered 302"
    now_due(served)
    served.call(tell_due)
    assert len(set(receiver.keys)) == 1
    done = a.alert_messages.update().values(due_at=1, tries=alerts.TRIES - 1)
    served.write(lambda tx: tx.connection.execute(done))
    served.call(tell_due)
    assert (listed(served)["given_up"], listed(served)["waiting"]) == (1, 0)
    now_due(served)
    served.call(tell_due)
    assert len(receiver.got) == 3


def test_one_that_hangs_is_left_in_time(
    served: Served, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teller, "_PATIENCE_SECONDS", 0.2)
    receiver.hang = threading.Event()
    add(served, receiver.url, events=["failure"])
    end(served, "fail")
    served.call(tell_due)
    assert listed(served)["problem"] == "the receiver did not answer within 0.2 s"


def test_one_that_hangs_delays_only_itself(
    served: Served, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teller, "_PATIENCE_SECONDS", 300.0)
    busy, tasks = set[str](), list[asyncio.Task[None]]()

    async def look(platform: Platform) -> None:
        tasks.extend(asyncio.create_task(one) for one in await due(platform, busy))

    async def over(_platform: Platform) -> None:
        await asyncio.gather(*tasks)

    with receiving() as hanging:
        hanging.hang = threading.Event()
        add(served, hanging.url, events=["failure"])
        add(served, receiver.url, events=["failure"])
        for told in (1, 2):
            end(served, "fail")
            served.call(look)
            eventually(partial(has_got, receiver, told), "it is told")
            eventually(lambda: len(busy) == 1, "its turn is over")
        hanging.hang.set()
        served.call(over)
        assert len(hanging.got) == 1
        served.call(tell_due)
        assert len(hanging.got) == 2


def test_a_turn_of_a_receiver_ends_before_its_lease(
    served: Served, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert teller._TURN_SECONDS + teller._PATIENCE_SECONDS < alerts.LEASE_SECONDS
    monkeypatch.setattr(teller, "_TURN_SECONDS", 0)
    add(served, receiver.url, events=["failure"])
    for _ in range(3):
        end(served, "fail")
    served.call(tell_due)
    assert [row.tries for row in messages(served)] == [1, 0, 0]
    for _ in range(2):
        served.call(tell_due)
    assert len(receiver.got) == 3


def test_a_message_that_is_refused_keeps_no_other_waiting(
    served: Served, receiver: Receiver
) -> None:
    add(served, receiver.url, events=["failure"])
    runs = [end(served, "fail") for _ in range(3)]
    receiver.refused = runs[0]
    served.call(tell_due)
    assert listed(served)["waiting"] == 3, "the receiver may rest"
    now_due(served, a.alert_messages.c.tries == 0)
    served.call(tell_due)
    assert [item["run"] for item in receiver.got] == runs
    assert listed(served)["told"] == 2


def test_any_fault_is_a_try_that_failed(served: Served, receiver: Receiver) -> None:
    add(served, receiver.url, events=["failure"])
    broken = a.alert_rules.update().values(target=b"not sealed")
    served.write(lambda tx: tx.connection.execute(broken))
    add(served, receiver.url, events=["failure"])
    end(served, "fail")
    served.call(tell_due)
    assert receiver.events() == ["failure"]
    assert "the platform's log has more" in listed(served)["problem"]
    assert sorted(row.tries for row in messages(served)) == [1, 1]


def test_a_digest_that_failed_draws_no_new_alert_to_it(served: Served, receiver: Receiver) -> None:
    add(served, receiver.url, events=["failure"], digest_minutes=60)
    receiver.status = 500
    end(served, "fail")
    now_due(served)
    served.call(tell_due)
    end(served, "fail")
    end(served, "fail")
    first, second, third = messages(served)
    assert (first.tries, second.tries) == (1, 0)
    assert second.due_at - second.inserted_at == 3600 * SECOND
    assert third.due_at == second.due_at


def test_the_key_of_a_digest_is_of_all_its_alerts() -> None:
    assert key_of(["a"]) == "a"
    assert key_of(["a", "b"]) == key_of(["b", "a"])
    assert len({key_of(ids) for ids in (["a"], ["a", "b"], ["a", "c"], ["a", "b", "c"])}) == 4


def test_a_failure_is_the_first_where_nobody_was_told_of_those_before(
    served: Served, receiver: Receiver
) -> None:
    for _ in range(2):
        key = add(served, receiver.url)
        end(served, "fail")
        served.call(tell_due)
        assert served.client.delete(f"/api/projects/demo/alerts/{key}").status_code == 204
    assert receiver.events() == ["first_failure", "first_failure"]


def test_what_is_done_is_emptied_and_in_the_end_removed(
    served: Served, receiver: Receiver
) -> None:
    add(served, receiver.url, events=["failure"])
    for status in (200, 500, 500):
        receiver.status = status
        end(served, "fail")
        served.call(tell_due)
        last = a.alert_messages.update().values(tries=alerts.TRIES - 1)
        served.write(lambda tx: tx.connection.execute(last))  # noqa: B023 - called at once
    now_due(served, a.alert_messages.c.inserted_at < messages(served)[2].inserted_at)
    served.call(tell_due)
    told, given_up, waits = messages(served)
    assert told.told_at is not None
    assert given_up.given_up_at is not None
    assert (told.body, given_up.body) == ("{}", "{}")
    old = a.alert_messages.update().values(inserted_at=1)
    served.write(lambda tx: tx.connection.execute(old))
    served.call(clean_up)
    assert [row.id for row in messages(served)] == [waits.id], "what waits is told however late"


def test_alerts_of_a_run_go_with_it(served: Served, receiver: Receiver) -> None:
    add(served, receiver.url, events=["failure"])
    gone, stays = end(served, "fail"), end(served, "fail")
    query = select(t.runs.c.work_order_id).where(t.runs.c.id == gone)
    order = served.write(lambda tx: tx.connection.execute(query).scalar_one())
    served.write(lambda tx: remove(tx, Rule("", What.RUNS, 0), [order]))
    assert [row.subject for row in messages(served)] == [stays]


def test_two_platforms_tell_once(served: Served, receiver: Receiver, tmp_path: Path) -> None:
    add(served, receiver.url, events=["failure"])
    with beside(served, tmp_path / "other", **EGRESS) as other:
        for _ in range(6):
            end(served, "fail")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda one: one.call(tell_due), (served, other)))
    assert len(receiver.got) == len(set(receiver.keys)) == 6


def test_an_old_queue_is_told_once_until_it_was_young(served: Served, receiver: Receiver) -> None:
    add(served, receiver.url, events=["queue_age"], queue_seconds=60)
    run = served.post()

    def look(inserted_at: int) -> None:
        values = t.runs.update().where(t.runs.c.id == run).values(inserted_at=inserted_at)
        served.write(lambda tx: tx.connection.execute(values))
        served.write(alerts.look_at_queues)
        served.call(tell_due)

    young = 2**52
    for inserted_at in (young, 1, 1, young, 1):
        look(inserted_at)
    assert receiver.events() == ["queue_age", "queue_age"]


def test_addresses_and_secrets_are_not_shown(served: Served, receiver: Receiver) -> None:
    key = add(served, receiver.url, events=["failure"])
    shown = listed(served)
    assert shown["to"].endswith("/***")
    assert "secret-path" not in json.dumps(shown)
    stored = served.write(lambda tx: tx.connection.execute(a.alert_rules.select()).one())
    assert b"secret-path" not in stored.target
    where = ["--url", served.url, "--token", served.platform.keys.admin_token]
    told = CliRunner().invoke(cli, ["alerts", "ls", "demo", *where]).output
    assert key in told
    assert "secret-path" not in told
    assert CliRunner().invoke(cli, ["alerts", "test", "demo", key, *where]).exit_code == 0
    served.call(tell_due)
    assert receiver.events() == ["test"]
    assert CliRunner().invoke(cli, ["alerts", "rm", "demo", key, *where]).output == "removed\n"
    end(served, "fail")
    served.call(tell_due)
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "either webhook or mail"),
        ({"webhook": "http://example.org/x"}, "must be an https address"),
        ({"webhook": "https://example.org:99999/"}, "is no address"),
        ({"mail": "nobody"}, "mail must be an address"),
        ({"mail": "a@b.org", "events": ["all"]}, "events must be some of"),
        ({"mail": "a@b.org", "queue_seconds": 0}, "queue_seconds must be a whole number"),
        ({"mail": "a@b.org", "chat": 1}, "'chat' is not one of"),
    ],
)
def test_wrong_alerts_are_refused(shared: Served, body: dict[str, Any], words: str) -> None:
    answer = shared.client.post("/api/projects/demo/alerts", json=body)
    assert answer.status_code == 422
    assert words in answer.text


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{}/",
        "http://localhost:{}/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.100.100.200/",
        "https://10.1.2.3/",
        "https://[::ffff:127.0.0.1]:{}/",
        "https://[fd00:ec2::254]/",
    ],
)
async def test_a_receiver_in_the_platforms_network_is_refused(
    receiver: Receiver, url: str
) -> None:
    url = url.format(receiver.server.server_port)
    with pytest.raises(NotTold, match=r"is not allowed .*HOLDFAST_ALERTS_EGRESS"):
        await receivers.post(url, "key", {}, egress="public", seconds=5)
    assert receiver.got == []


async def test_a_receiver_that_the_operator_allows_by_name_is_told(receiver: Receiver) -> None:
    url = f"http://localhost:{receiver.server.server_port}/"
    await receivers.post(url, "key", {"a": 1}, egress="localhost", seconds=5)
    assert receiver.got == [{"a": 1}]
    assert receiver.hosts == [f"localhost:{receiver.server.server_port}"]
