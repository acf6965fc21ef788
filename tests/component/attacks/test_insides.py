"""Node's and V8's insides are closed to code that has left the vm (issue 12).

With some of V8's flags JavaScript becomes machine code of its author's choice, so nothing that can
set one is left in its reach once a run process has started.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from holdfast.sandbox.names import own, tells
from support.engine import ESCAPE, Running, engine, run
from support.native import WITHOUT

NAMESPACES = frozenset({"namespaces", "network-namespace", "own-uid"})
FLAG = "--no-wasm-bounds-checks"
BUILTIN = "const take = process.getBuiltinModule;"
REQUIRE = BUILTIN + "const require = take('module').createRequire('/scratch/x.js');"
#: Ways to V8's flags and to bindings of Node's own. Each must throw.
WAYS = {
    "v8": BUILTIN + f"return take('v8').setFlagsFromString('{FLAG}')",
    "v8 by require": REQUIRE + f"return require('v8').setFlagsFromString('{FLAG}')",
    "v8 with nothing in it": BUILTIN + "return take('v8').setFlagsFromString('')",
    "process.binding": f"return process.binding('v8').setFlagsFromString('{FLAG}')",
    "process._linkedBinding": "return process._linkedBinding('v8')",
    "insides by name": BUILTIN + "return take('internal/test/binding').internalBinding('v8')",
    "insides with scheme": BUILTIN + "return take('node:internal/test/binding').internalBinding",
    "insides by require": REQUIRE + "return require('internal/test/binding')",
    "insides by scheme": REQUIRE + "return require('node:internal/test/binding')",
    "helpers": REQUIRE + "return require('internal/modules/helpers')",
    "inspector": BUILTIN + "return take('inspector').Session",
    "inspector by require": REQUIRE + "return require('node:inspector/promises').Session",
    "repl": REQUIRE + "return require('repl').start",
    "bootstrap": REQUIRE + "return require('internal/bootstrap/realm')",
}


@pytest.fixture(scope="module", params=["everything", "without Node's permissions"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    without = frozenset[str]() if request.param == "everything" else WITHOUT
    with engine(tmp_path_factory.mktemp("data"), without=without) as started:
        yield started


def test_no_way_leads_inside(running: Running) -> None:
    tries = "".join(
        f"try {{ (() => {{ {code} }})(); data[{json.dumps(name)}] = 'got through'; }}"
        f" catch (e) {{ data[{json.dumps(name)}] = String(e.code ?? e.name); }}"
        for name, code in WAYS.items()
    )
    ended = run(
        running,
        f"export default [state => {{ {ESCAPE} const data = {{}}; {tries} return {{ data }}; }}];",
    )
    assert ended.outcome.reason is Reason.SUCCESS, ended.outcome
    document = ended.bodies(Kind.RESULT)[0]["final_state"]
    assert isinstance(document, dict)
    met = json.loads(str(document["inline"]))["data"]
    assert [name for name, result in met.items() if result == "got through"] == []
    assert met.keys() == WAYS.keys()


def test_no_thread_has_insides_of_its_own(running: Running) -> None:
    """A second thread would have bindings anew: Node's permissions refuse it."""
    code = (
        f"export default [state => {{ {ESCAPE}"
        " const { Worker } = process.getBuiltinModule('worker_threads');"
        " new Worker('0', { eval: true }).terminate(); return { data: 'started' }; }];"
    )
    ended = run(running, code)
    layers = ended.bodies(Kind.LAUNCHED)[0]["layers"]
    assert isinstance(layers, list)
    if "node-permissions" in layers:
        assert "--allow-worker" in str(ended.outcome.error_message), ended.outcome
    else:
        assert ended.outcome.reason is Reason.SUCCESS, ended.outcome


def test_jobs_get_no_collector(running: Running) -> None:
    ended = run(running, "export default [state => ({ data: typeof gc })];")
    assert ended.bodies(Kind.RESULT)[0]["final_state"] == {"inline": '{"data":"undefined"}'}


NAMED = (
    "export default [async state => {" + ESCAPE + BUILTIN
    + "const os = take('os'); const fs = take('fs'); const dns = take('dns'); let hosts;"
    " try { hosts = fs.readFileSync('/etc/hosts', 'utf8'); } catch (e) { hosts = e.code; }"
    " const found = await dns.promises.lookup('localhost', { all: true });"
    " const one = await new Promise(done => dns.lookup('localhost', 4, (_, at) => done(at)));"
    " return { data: { name: os.hostname(), hosts, found, one, type: os.type() } }; }];"
)  # fmt: skip


@pytest.mark.parametrize(
    ("level", "lane"), [("full", "cold"), ("full", "zygote"), ("strong", "cold")]
)
def test_the_name_of_the_machine_is_hidden(tmp_path: Path, level: str, lane: str) -> None:
    """Other names of /etc/hosts go on working."""
    without = WITHOUT | (NAMESPACES if level == "strong" else frozenset[str]())
    with engine(tmp_path / "data", without=without, lane=lane) as running:
        ended = run(running, NAMED)
    document = ended.bodies(Kind.RESULT)[0]["final_state"]
    assert isinstance(document, dict)
    seen = json.loads(str(document["inline"]))["data"]
    assert (seen["name"], seen["type"], seen["one"]) == ("run", "Linux", "127.0.0.1")
    assert {"address": "127.0.0.1", "family": 4} in seen["found"]
    assert not tells(seen["hosts"], own())
