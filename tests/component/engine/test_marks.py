"""Requests of an operation that its author marks carry the same key when they are repeated."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from holdfast.engine.requests import Requests, requests_of
from holdfast.journal import JournalReader
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from support.engine import Ended, Running, run
from support.web import Answer, Asked, Web, serve_web


@pytest.fixture
def web() -> Iterator[Web]:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/moved":
            return Answer(status=307, headers={"location": "/new"})
        return Answer(status=500 if asked.path == "/broken" else 200, body=b"{}")

    with serve_web(answer) as server:
        yield server


POST = "async s => {{ await fetch('{}/{}', {{ method: 'POST', body: '1', {} }}); return s; }}"
BY_NODE = (
    "async state => {{ const process = state.constructor.constructor('return process')();"
    "const http = process.getBuiltinModule('node:http');"
    "await new Promise((done, fail) => {{"
    " const asked = http.request('{}/{}', {{ method: 'POST', {} }},"
    " answer => {{ answer.resume(); answer.on('end', done); }}); asked.on('error', fail);"
    " asked.end('1'); }}); return state; }}"
)


def keys(web: Web) -> list[str | None]:
    return [asked.headers.get("idempotency-key") for asked in web.asked]


def requests(ended: Ended) -> Requests:
    with JournalReader(ended.folder.journal) as reader:
        return requests_of(reader.read())


def go(running: Running, code: str, order: str | None = "order-1") -> Ended:
    options: JsonObject = {"egress": "open", "meta": {"workOrderId": order} if order else {}}
    return run(running, f"export default [{code}];", options=options)


def test_a_key_is_the_same_in_each_run_of_a_work_order_and_in_no_other(
    running: Running, web: Web
) -> None:
    code = ", ".join(
        f"idempotent('a', {form.format(web.address, 'x', '')})" for form in (POST, BY_NODE)
    )
    for order in ("order-1", "order-1", "order-2", None, None):
        ended = go(running, code, order)
        assert ended.outcome.error_type is None, ended.outcome
    assert keys(web)[::2] == keys(web)[1::2], "by fetch as by node:http"
    first, again, other, *alone = keys(web)[::2]
    assert first == again
    assert len({first, other, *alone}) == 4, "of other work orders, and of runs without one"
    told = requests(ended).known.values()
    assert [item.key for item in told] == keys(web)[-2:]
    assert all(item.row.endswith(f"key {item.key}") for item in told)


def test_a_header_of_the_author_is_never_changed_and_is_shown(running: Running, web: Web) -> None:
    header = "headers: { 'IDEMPOTENCY-Key': 'my own' }"
    code = [form.format(web.address, "x", header) for form in (POST, BY_NODE)]
    ended = go(running, ", ".join([*code, *(f"idempotent('a', {item})" for item in code)]))
    assert keys(web) == ["my own"] * 4
    assert [told.key for told in requests(ended).known.values()] == ["my own"] * 4
    assert found(ended) == []


def test_a_late_header_of_the_author_is_no_second_use_of_a_key(running: Running, web: Web) -> None:
    """A mark gives its key when a request is made; node:http takes headers until it leaves."""
    late = BY_NODE.replace(
        "asked.end('1')", "asked.setHeader('Idempotency-Key', 'mine'); asked.end('1')"
    )
    first, again = (form.format(web.address, "x", "") for form in (BY_NODE, late))
    ended = go(running, f"idempotent('a', {first}), idempotent('a', {again})")
    assert keys(web)[1] == "mine"
    assert found(ended) == []


def test_headers_given_as_a_list_and_marks_in_marks_are_seen(running: Running, web: Web) -> None:
    listed = BY_NODE.format(web.address, "x", "headers: ['Host', 'x', 'Idempotency-Key', 'mine']")
    inner = f"idempotent('b', {POST.format(web.address, 'x', '')})"
    ended = go(running, f"idempotent('a', {listed}), idempotent('a', {inner})")
    mine, key = keys(web)
    assert mine == "mine"
    assert [told.key for told in requests(ended).known.values()] == ["mine", key]
    assert found(ended) == []


def test_names_and_addresses_make_other_keys_and_reads_have_none(
    running: Running, web: Web
) -> None:
    post = POST.format(web.address, "x", "")
    other = POST.format(web.address, "y?n=1", "")
    get = f"async s => {{ await fetch('{web.address}/x'); await ({post})(s); return s; }}"
    plain = POST.format(web.address, "x", "")
    moved = POST.format(web.address, "moved", "")
    code = f"idempotent(s => 7, {post}), idempotent('b', {other}), idempotent('b', {get}), {plain}"
    ended = go(running, f"{code}, idempotent('c', {moved})")
    assert ended.outcome.error_type is None, ended.outcome
    first, second, read, third, unmarked, before, after = keys(web)
    assert read is unmarked is None
    assert len({first, second, third, before, after}) == 5
    assert None not in (first, second, third, before, after), "a redirection has one, too"


def test_what_may_be_carried_out_once_too_little_is_told(running: Running, web: Web) -> None:
    """Not a repetition after a failure, which is what a key is for."""
    failing, post = (POST.format(web.address, path, "") for path in ("broken", "x"))
    twice = "idempotent('a', async s => {{ await ({0})(s); return ({0})(s); }})"
    ended = go(running, f"{twice.format(failing)}, {twice.format(post)}, idempotent('a', s => s)")
    assert [item["what"] for item in found(ended)] == ["key_again", "no_key"]
    assert len(set(keys(web))) == 2


def found(ended: Ended) -> list[JsonObject]:
    (body,) = ended.bodies(Kind.STEP_COMPLETE)
    facts = body.get("facts")
    return facts["findings"] if isinstance(facts, dict) else []  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("idempotent(s => s.data.id, s => s)", "It got undefined"),
        ("idempotent('a', 'b')", "idempotent takes a name and an operation"),
    ],
)
def test_a_mark_that_cannot_be_used_says_why(running: Running, code: str, said: str) -> None:
    ended = go(running, code)
    assert said in (ended.outcome.error_message or "")
    (outcome,) = ended.bodies(Kind.OUTCOME)
    assert "HF1019" in json.dumps(outcome)
