"""`holdfast up`: a webhook becomes a run, and every run ends truthfully."""

from __future__ import annotations

import concurrent.futures
import os
import re
import signal
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.adaptors import Store
from support import command
from support.product import COMMON, Product, start
from support.waiting import eventually
from support.web import Answer, Asked, serve_web


def test_a_webhook_becomes_a_finished_run(product: Product) -> None:
    webhook = product.deploy("greet", "fn(s => ({ data: { greeting: `hello ${s.data.name}` } }))")
    run_id = product.send(webhook, {"name": "Ada"})
    run = product.finished(run_id)
    assert (run["state"], run["error_type"]) == ("success", None)
    [step] = product.steps(run_id)
    assert step["exit_reason"] == "success"
    assert product.output(step) == {"data": {"greeting": "hello Ada"}}


def test_the_printed_link_opens_the_page_without_a_typed_login(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    up = command.Command("up", "--data", data, "--port", "0", "--no-worker")
    try:
        url = up.wait_for_line(r"Holdfast is ready: (\S+)")[1]
        link = up.wait_for_line(r"login +(http\S+)")[1]
        with httpx.Client(follow_redirects=True) as browser:
            assert "Last runs" in browser.get(link).text
            assert "Last runs" in browser.get(url).text
        with httpx.Client(follow_redirects=True) as late:
            assert "Log in" in late.get(url).text
            assert "used before" in late.get(link).text
            another = command.run("open", "--print", "--data", data)
            assert "Last runs" in late.get(another.stdout.strip()).text, another.stderr
        assert up.stop() == 0, up.output
    finally:
        up.kill()


def test_the_worker_tells_the_platform_how_it_is(product: Product) -> None:
    """By a message that only our platform asks for."""

    def told() -> dict[str, Any] | None:
        [worker] = product.get("/api/workers")["data"]
        vitals: dict[str, Any] | None = worker["vitals"]
        return vitals if vitals is not None and vitals["ready"] else None

    vitals = eventually(told, "the worker has told that it is ready")
    assert (vitals["undelivered"], vitals["egress"]) == (0, "open")
    assert "rlimits" in vitals["layers"]
    assert COMMON in vitals["adaptors"]
    assert vitals["standby_memory_mb"] > 0
    assert vitals["machine_memory_mb"] > vitals["machine_memory_free_mb"] > 0


def test_a_workflow_reaches_no_more_than_it_says(product: Product) -> None:
    """Its worker may reach everything. (The door of Collections can always be reached.)"""
    with serve_web(lambda _: Answer("hello")) as web:
        job = f"fn(async s => {{ await fetch('{web.address}/'); return s; }})"
        for name, egress, state in (
            ("local", "127.0.0.0/8", "success"),
            ("listed", "example.org:443, 10.1.0.0/16", "failed"),
            ("nothing", "none", "failed"),
        ):
            run_id = product.send(product.deploy(name, job, egress=egress), {})
            assert product.finished(run_id)["state"] == state, (name, product.logs(run_id))
        assert len(web.asked) == 1


def test_a_credential_that_no_step_uses_is_tested_through_a_worker(product: Product) -> None:
    """By the adaptor of its kind, against a real server; the secret is in no answer."""
    product.deploy("testing", "fn(s => s)")
    good = f"Basic {b64encode(b'ann:right-password').decode()}"

    def door(asked: Asked) -> Answer:
        if asked.path == "/nowhere":
            return Answer(status=404)
        known = asked.headers.get("authorization") == good
        return Answer("hello") if known else Answer(asked.headers, status=401)

    headers = {"authorization": f"Bearer {(product.data / 'admin-token').read_text()}"}
    with serve_web(door) as web, httpx.Client(base_url=product.url, headers=headers) as api:
        for number, (url, password, finding, status) in enumerate((
            (web.address, "right-password", "answered", 200),
            (web.address, "false-password", "not allowed", 401),
            (f"{web.address}/nowhere", "right-password", "not found", 404),
            ("http://no-such-host.invalid", "right-password", "name not found", None),
        )):  # fmt: skip
            values = {"baseUrl": url, "username": "ann", "password": password}
            asked = {"name": str(number), "schema": "http", "body": values}
            made = api.post("/api/projects/testing/credentials", json=asked).json()
            place = f"/api/credentials/{made['data']['id']}/tests"
            begun = api.post(place)
            assert begun.status_code == 201, begun.text
            run_id = begun.json()["data"]["run_id"]
            product.finished(run_id)
            told = api.get(f"{place}/{run_id}")
            found = told.json()["data"]
            assert (found["finding"], found["status"]) == (finding, status), told.text
            assert password not in told.text + product.logs(run_id)
        assert (
            api.get("/api/workflows", params={"name": "Connection of 0"}).json()["workflows"] == []
        )


def test_a_marked_operation_is_done_once_by_a_system_that_knows_its_key(product: Product) -> None:
    """It is carried out, and answered with a failure; a person runs the step again."""
    done: list[str] = []

    def once(asked: Asked) -> Answer:
        key = asked.headers["idempotency-key"]
        first = key not in done
        done.extend([key] * first)
        return Answer(status=502 if first and asked.json == 1 else 200, body={})

    with serve_web(once) as web:
        ask = f"fetch('{web.address}/orders', {{ method: 'POST', body: String(s.data.n) }})"
        call = f"async s => {{ if (!(await {ask}).ok) throw Error('refused'); return s; }}"
        webhook = product.deploy("marked", f"idempotent($.data.id, fn({call}))", record=True)
        failed, other = (product.send(webhook, {"id": 7, "n": n}) for n in (1, 2))
        assert product.finished(failed)["state"] == "failed"
        assert product.finished(other)["state"] == "success", product.logs(other)
        assert len(done) == 2, "another work order has another key"
        where = ("--data", str(product.data))
        retried = command.run("runs", "retry", failed, "--from", "Only", *where)
        assert retried.returncode == 0, retried.stderr
        [key] = {asked.headers["idempotency-key"] for asked in web.asked if asked.json == 1}
        assert f"key {key}" in retried.stderr
        assert "1 of these carried an idempotency key" in retried.stderr
        again = retried.stdout.split()[-1]
        assert product.finished(again)["state"] == "success", product.logs(again)
    assert len(web.asked) == 3
    assert len(done) == 2, "the retry carried the key of the first try"
    recording = product.get(f"/runs/{again}/recording.json")
    assert recording["run_id"] == again
    assert recording["input"]["data"] == {"id": 7, "n": 1}
    assert [item["status"] for item in recording["exchanges"]] == [200]


#: name, job, run state, error type, words of the message
ENDINGS = [
    (
        "fails",
        "fn(() => { throw new Error('no such patient') })",
        "failed",
        "JobError",
        "no such patient",
    ),
    ("syntax", "fn(s => s)\nfn(s => { return s. })", "crashed", "CompileError", "Only: .*2"),
    ("lazy", "const x = $.data;", "crashed", "CompileError", "inside an operation"),
    ("missing", "fn(() => nowhere())", "crashed", "RuntimeCrash", "nowhere is not defined"),
    (
        "memory",
        "fn(() => { const kept = []; while (true) kept.push(new Array(1e5).fill(kept.length)) })",
        "killed",
        "OOMError",
        "exceeded maximum memory",
    ),
    (
        "buffers",
        "fn(() => { const kept = []; while (true) kept.push(Buffer.alloc(1 << 24, 1)) })",
        "killed",
        "OOMError",
        "exceeded maximum memory",
    ),
]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, adaptor_store: Store) -> Iterator[Product]:
    """A product that gives runs little memory."""
    folder = tmp_path_factory.mktemp("strict")
    started = start(folder / "data", folder, adaptor_store, "--run-memory", "120")
    yield started
    assert started.up.stop() == 0, started.up.output[-3000:]


@pytest.mark.parametrize(
    ("name", "job", "state", "error_type", "words"), ENDINGS, ids=[e[0] for e in ENDINGS]
)
def test_every_run_ends_truthfully(
    strict: Product, name: str, job: str, state: str, error_type: str, words: str
) -> None:
    webhook = strict.deploy(name, "fn(s => s)")
    strict.change_code(name, job)  # a deployment would refuse what cannot be read
    run_id = strict.send(webhook, {"n": 1})
    run = strict.finished(run_id)
    assert (run["state"], run["error_type"]) == (state, error_type), run
    assert re.search(words, run["error_message"]), run["error_message"]
    for step in strict.steps(run_id):
        assert step["exit_reason"] is not None, "no step stays open"
    examined = run["postmortem"]
    assert examined["outcome"]["error_type"] == error_type
    assert examined["timeline"][0]["what"] == "claimed"
    assert examined["timeline"][-1]["what"].startswith("outcome: ")
    assert examined["evidence"]["process"] in {"engine", "compiler"}


def test_it_ends_when_told_though_nobody_reads_its_messages(tmp_path: Path) -> None:
    words = [*command.HOLDFAST, "up", "--data", str(tmp_path / "data"), "--port", "0"]
    said = tmp_path / "said"
    with said.open("w") as out:
        up = subprocess.Popen(words, stdout=out, stderr=subprocess.PIPE, start_new_session=True)
    try:
        eventually(lambda: "is ready" in said.read_text(), "the platform is ready")
        assert up.stderr is not None
        up.stderr.close()
        up.send_signal(signal.SIGTERM)
        assert up.wait(30) == 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(up.pid, signal.SIGKILL)


def test_a_run_that_never_ends_is_ended(tmp_path: Path, adaptor_store: Store) -> None:
    hurried = start(tmp_path / "data", tmp_path, adaptor_store, "--run-timeout", "3")
    try:
        run_id = hurried.send(hurried.deploy("forever", "fn(() => { while (true) {} })"), {})
        run = hurried.finished(run_id)
        assert (run["state"], run["error_type"]) == ("killed", "TimeoutError")
        assert "failed to return within 3000ms" in run["error_message"]
    finally:
        assert hurried.up.stop() == 0, hurried.up.output[-3000:]


def test_many_runs_at_once(product: Product) -> None:
    webhook = product.deploy("many", "fn(s => ({ data: { n: s.data.n * 2 } }))")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda n: product.send(webhook, {"n": n}), range(12)))
    for n, run_id in enumerate(runs):
        assert product.finished(run_id)["state"] == "success"
        [step] = product.steps(run_id)
        assert product.output(step) == {"data": {"n": n * 2}}


LATE = "fn(s => new Promise(done => setTimeout(() => done({ data: { late: true } }), 2500)))"


def test_a_killed_agent_loses_nothing(product: Product) -> None:
    run_id = product.send(product.deploy("survives", LATE), {})
    eventually(lambda: product.run(run_id)["state"] == "started", "the run has started")
    agents = [pid for pid in children_of(product.up.process.pid) if is_agent(pid)]
    assert len(agents) == 1
    os.kill(agents[0], signal.SIGKILL)
    assert product.finished(run_id)["state"] == "success"
    [step] = product.steps(run_id)
    assert product.output(step) == {"data": {"late": True}}


def test_a_worker_killed_whole_still_tells_the_truth(product: Product) -> None:
    run_id = product.send(product.deploy("dies", LATE), {})
    eventually(lambda: product.steps(run_id), "the step has started")
    for pid in children_of(product.up.process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    run = product.finished(run_id)
    assert run["state"] == "exception"
    assert run["error_type"] in {"HostRestarted", "ShimLost", "SupervisorLost"}, run
    assert run["error_message"]
    assert [step["exit_reason"] for step in product.steps(run_id)] == ["exception"]
    again = product.send(product.deploy("after", "fn(() => ({ data: 1 }))"), {})
    assert product.finished(again)["state"] == "success"


def is_agent(pid: int) -> bool:
    return "-m holdfast.worker.agent" in words_of(pid)


def words_of(pid: int) -> str:
    """The command line of a process, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def children_of(pid: int) -> list[int]:
    """All descendants."""
    try:
        files = Path(f"/proc/{pid}/task").glob("*/children")
        found = [int(word) for file in files for word in file.read_text().split()]
    except OSError:
        return []
    return found + [deeper for child in found for deeper in children_of(child)]


def test_secrets_stay_with_their_owner(product: Product) -> None:
    secret = (product.data / "keys" / "worker-secret").read_text().strip()
    assert secret not in product.up.output
    for path in [*(product.data / "keys").iterdir(), product.data / "admin-token"]:
        assert path.stat().st_mode & 0o077 == 0, f"{path} is for its owner only"
