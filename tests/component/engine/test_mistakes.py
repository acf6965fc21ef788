"""Every cause of the catalogue, provoked through the whole engine, and what its author is told."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.adaptors import InstalledAdaptor
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from support import tls
from support.engine import Ended, engine
from support.made import made
from support.mistakes import COMMON, FAILURES, FHIR, HTTP, WARNINGS, Mistake


class Answers(http.server.BaseHTTPRequestHandler):
    """`/404` answers 404, `/slow` never answers, anything else is fine."""

    released = threading.Event()

    def do_GET(self) -> None:
        name = self.path.strip("/")
        if name == "slow":
            self.released.wait()
        status = int(name) if name.isdigit() else 200
        body = b'{"message":"told by the server"}'
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        Answers.released.set()
        server.shutdown()


@pytest.fixture(scope="module")
def ended(
    address: str,
    real_adaptors: dict[str, InstalledAdaptor],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Ended]]:
    """Every mistake, made once."""
    known: JsonObject = {name: real_adaptors[name].to_option() for name in (COMMON, HTTP, FHIR)}
    data = tmp_path_factory.mktemp("mistakes")
    store = real_adaptors[COMMON].path.parents[4]
    with engine(data, store=store) as running, _secure(tmp_path_factory.mktemp("tls")) as port:
        places = {"TLSURL": f"https://localhost:{port}", "URL": address}
        mistakes = [*FAILURES, *WARNINGS]
        yield made(running, mistakes, places, known)


@contextmanager
def _secure(folder: Path) -> Iterator[int]:
    """The port of a server whose certificate nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.Authority(folder).server)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


@pytest.mark.parametrize("mistake", FAILURES, ids=lambda mistake: mistake.name)
def test_failure_says_cause_change_and_turn(mistake: Mistake, ended: dict[str, Ended]) -> None:
    found = ended[mistake.name]
    diagnosis = found.bodies(Kind.OUTCOME)[0].get("diagnosis")
    assert isinstance(diagnosis, dict), found.outcome
    assert diagnosis["code"] == mistake.expected, (found.outcome, diagnosis)
    assert mistake.says in str(diagnosis["what"])
    assert mistake.change in str(diagnosis["change"])
    assert diagnosis["turn"] == mistake.turn
    assert f"{mistake.expected}  {diagnosis['what']}" in found.log
    assert len(str(diagnosis["fingerprint"])) == 12
    for word in ("None", "True", "False", "{'"):
        assert word not in f"{diagnosis['what']} {diagnosis['change']}"
    if mistake.credential:
        assert "secret-value-1" not in str(found.records)


@pytest.mark.parametrize("mistake", WARNINGS, ids=lambda mistake: mistake.name)
def test_silent_success_warns_its_author(mistake: Mistake, ended: dict[str, Ended]) -> None:
    found = ended[mistake.name]
    assert found.outcome.error_type is None, found.outcome
    lines = [line for line in found.log.splitlines() if line.startswith(mistake.expected)]
    assert any(mistake.says in line and mistake.change in line for line in lines), found.log


def test_caret_stands_under_the_unknown_name(ended: dict[str, Ended]) -> None:
    diagnosis = ended["unknown function"].bodies(Kind.OUTCOME)[0]["diagnosis"]
    assert isinstance(diagnosis, dict)
    assert diagnosis["position"] == {"line": 2, "column": 1, "src": "gett('/x');"}


def test_loop_and_slow_request_end_with_different_words(ended: dict[str, Ended]) -> None:
    said = [
        ended[name].bodies(Kind.OUTCOME)[0]["diagnosis"]
        for name in ("endless loop", "slow request")
    ]
    assert said[0] != said[1]
