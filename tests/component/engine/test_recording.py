"""What a run keeps for its replay, and what is seen of its requests from inside and outside."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from holdfast.engine.requests import NEVER, UNKNOWN, Requests, requests_of
from holdfast.journal import JournalReader
from holdfast.journal.blobs import blob_path
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from support.engine import ESCAPE, Ended, Running, run
from support.web import Answer, Asked, Web, serve_web

SECRET = "canary-7f31c2"
CLOCK = """export default [state => ({ data: [Date.now(), new Date().toISOString(), typeof Date(),
  new Date(0).getTime(), new Date() instanceof Date, new Date().constructor === Date,
  Math.random(), Math.random()] })];"""


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    def answer(asked: Asked) -> Answer:
        body = json.dumps({"asked": asked.path, "token": SECRET}).encode()
        if asked.path.startswith("/packed"):
            return Answer(body=gzip.compress(body), headers={"content-encoding": "gzip"})
        return Answer(body=body)

    with serve_web(answer) as server:
        yield server


def documents(ended: Ended, kind: Kind, key: str) -> list[Any]:
    found = []
    for body in ended.bodies(kind):
        document = body.get(key)
        if isinstance(document, dict):
            blob = document.get("blob")
            text = (
                blob_path(ended.folder.path, str(blob)).read_text() if blob else document["inline"]
            )
            found.append(json.loads(str(text)))
    return found


def requests(ended: Ended) -> Requests:
    with JournalReader(ended.folder.journal) as reader:
        return requests_of(reader.read())


FETCH = (
    "const text = await (await fetch('{{}}/{}', {{{{ method: 'POST', body: 'a=1' }}}})).text();"
)


def by_node(address: str) -> str:
    return (
        "const http = process.getBuiltinModule('node:http');"
        "const text = await new Promise((done, fail) => {"
        f" const asked = http.request('{address}', {{ method: 'POST' }}, answer => {{"
        " let all = ''; answer.setEncoding('utf8'); answer.on('data', part => { all += part; });"
        " answer.on('end', () => done(all)); });"
        " asked.on('error', fail); asked.write('a='); asked.end('1'); });"
    )


@pytest.mark.parametrize(
    "code",
    [
        FETCH.format("plain"),
        FETCH.format("packed?n=1"),
        "node",
    ],
    ids=["fetch", "packed", "node"],
)
def test_a_recorded_run_keeps_what_was_asked_and_answered(
    running: Running, web: Web, code: str
) -> None:
    asking = by_node(f"{web.address}/plain") if code == "node" else code.format(web.address)
    step = f"export default [async state => {{ {ESCAPE} {asking} return {{ data: text }}; }}];"
    options: JsonObject = {"record": True, "egress": {"allow": [web.address.partition("//")[2]]}}
    ended = run(running, step, options=options, credentials={"a": {"password": SECRET}})
    assert ended.outcome.error_type is None, ended.outcome
    (exchange,) = documents(ended, Kind.REQUEST, "exchange")
    assert exchange["method"] == "POST"
    assert exchange["url"].startswith(web.address)
    assert exchange["asked"] == {"text": "a=1", "bytes": 3}
    assert exchange["status"] == 200
    told = json.loads(exchange["answer"]["text"])
    assert told["asked"].startswith(("/plain", "/packed"))
    assert told["token"] == "***"
    (tape,) = documents(ended, Kind.STEP_COMPLETE, "tape")
    assert tape["configuration"] == {"password": "***"}
    assert SECRET not in json.dumps(tape)


def test_nothing_is_kept_without_consent(running: Running, web: Web) -> None:
    step = (
        f"export default [async s => ({{ data: await (await fetch('{web.address}/p')).text() }})];"
    )
    ended = run(running, step, options={"egress": "open"})
    assert documents(ended, Kind.REQUEST, "exchange") == []
    assert documents(ended, Kind.STEP_COMPLETE, "tape") == []


def test_a_replay_has_the_clock_and_the_random_numbers_of_the_recording(running: Running) -> None:
    first = run(running, CLOCK, options={"record": True})
    (tape,) = documents(first, Kind.STEP_COMPLETE, "tape")
    replay: JsonObject = {"recording": {"host": "127.0.0.1", "port": 9}, "tape": [tape]}
    for _ in range(2):
        again = run(running, CLOCK, options={"replay": replay})
        assert (
            again.bodies(Kind.RESULT)[0]["final_state"]
            == first.bodies(Kind.RESULT)[0]["final_state"]
        )
    data = json.loads(tape["output"])["data"]
    assert data[2:6] == ["string", 0, True, True]
    assert data[6] != data[7]


def test_a_connection_on_which_no_request_was_told_is_seen_from_outside(running: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        step = (
            f"export default [async s => {{ {ESCAPE} await new Promise(done => process"
            f".getBuiltinModule('node:net').connect({port}, '127.0.0.1', done)); return {{}}; }}];"
        )
        ended = run(running, step, options={"egress": {"allow": [f"127.0.0.1:{port}"]}})
    found = requests(ended)
    assert found.known == {}
    assert found.untold == {f"127.0.0.1:{port}": 1}


def test_a_request_that_never_got_its_connection_never_left(running: Running) -> None:
    """The other one was written to its connection: its fate is not known."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        step = (
            f"export default [async s => {{ {ESCAPE}"
            " const http = process.getBuiltinModule('node:http');"
            " const agent = new http.Agent({ maxSockets: 1 });"
            f" const ask = path => http.get({{ host: '127.0.0.1', port: {port}, path, agent }});"
            " const written = ask('/written'); ask('/waits');"
            " await new Promise(done => written.once('socket', way => way.once('connect', done)));"
            " await new Promise(done => setTimeout(done, 1));"
            " process.kill(process.pid, 'SIGKILL'); }];"
        )
        ended = run(running, step, options={"egress": {"allow": [f"127.0.0.1:{port}"]}})
    fates = {request.path: request.fate for request in requests(ended).known.values()}
    assert fates == {"/written": UNKNOWN, "/waits": NEVER}
