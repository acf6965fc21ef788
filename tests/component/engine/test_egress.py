"""The egress policy binds whatever the code does."""

from __future__ import annotations

import http.server
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.model.json import Json
from holdfast.model.record import Kind
from support.engine import ESCAPE, Ended, Running, run


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        target = self.path.partition("?to=")[2]
        self.send_response(302 if target else 200)
        if target:
            self.send_header("Location", target)
        self.end_headers()
        self.wfile.write(b"" if target else b"hello")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()


def fetch(running: Running, url: str, egress: Json) -> Ended:
    code = (
        "export default [async state => { try {"
        f" const answer = await fetch('{url}');"
        " return { data: await answer.text() }; } catch (error) {"
        " return { data: String(error.cause?.code ?? error) }; } }];"
    )
    return run(running, code, options={"egress": egress})


def answer(ended: Ended) -> str:
    assert ended.outcome.error_type is None, ended.outcome
    return str(ended.bodies(Kind.RESULT)[0]["final_state"])


def test_open(running: Running, port: int) -> None:
    assert "hello" in answer(fetch(running, f"http://127.0.0.1:{port}/", "open"))


def test_public_refuses_loopback_and_says_so(running: Running, port: int) -> None:
    ended = fetch(running, f"http://127.0.0.1:{port}/", "public")
    assert "EACCES" in answer(ended)
    assert f"Connection to 127.0.0.1:{port} refused" in ended.log


def test_lan_refuses_loopback_and_names_its_rule(running: Running, port: int) -> None:
    ended = fetch(running, f"http://127.0.0.1:{port}/", "lan")
    assert "EACCES" in answer(ended)
    assert f"Connection to 127.0.0.1:{port} refused" in ended.log
    assert "(rule lan: loopback)" in ended.log


def test_public_is_the_default(running: Running, port: int) -> None:
    assert "EACCES" in answer(fetch(running, f"http://127.0.0.1:{port}/", None))


def test_ipv4_inside_ipv6_is_what_it_is(running: Running, port: int) -> None:
    assert "EACCES" in answer(fetch(running, f"http://[::ffff:127.0.0.1]:{port}/", "public"))


@pytest.mark.parametrize("allowed", ["127.0.0.1:{port}", "127.0.0.0/8", "localhost:{port}"])
def test_a_list_allows_what_it_names(running: Running, port: int, allowed: str) -> None:
    egress: Json = {"allow": [allowed.format(port=port)]}
    assert "hello" in answer(fetch(running, f"http://127.0.0.1:{port}/", egress))


def test_a_list_allows_nothing_else(running: Running, port: int) -> None:
    egress: Json = {"allow": [f"127.0.0.1:{port + 1}", "api.example.org"]}
    assert "EACCES" in answer(fetch(running, f"http://127.0.0.1:{port}/", egress))


def test_a_redirect_is_a_connection_of_its_own(running: Running, port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        inner = other.getsockname()[1]
        egress: Json = {"allow": [f"127.0.0.1:{port}"]}
        url = f"http://127.0.0.1:{port}/?to=http://127.0.0.1:{inner}/"
        assert "EACCES" in answer(fetch(running, url, egress))


def test_none_has_no_network(running: Running, port: int) -> None:
    said = answer(fetch(running, f"http://127.0.0.1:{port}/", "none"))
    assert "EPERM" in said or "ENETUNREACH" in said


RAW = (
    "export default [async state => {" + ESCAPE + "const net = process.getBuiltinModule('net');"
    "const data = await new Promise(done => {"
    " const s = net.connect(PORT, '127.0.0.1', () => done('connected'));"
    " s.on('error', e => done(e.code)); });"
    "return { data }; }];"
)


def test_raw_sockets_of_node(running: Running, port: int) -> None:
    ended = run(running, RAW.replace("PORT", str(port)))
    assert "EACCES" in answer(ended)


def test_datagrams(running: Running, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.2)
        code = (
            "export default [async state => {"
            + ESCAPE
            + "const s = process.getBuiltinModule('dgram').createSocket('udp4');"
            f"const data = await new Promise(done => {{ s.on('error', e => done(e.code));"
            f" s.send('x', {listener.getsockname()[1]}, '127.0.0.1',"
            " e => done(e?.code ?? 'sent'));"
            " }); s.close(); return { data }; }];"
        )
        said = answer(run(running, code))
        assert "sent" not in said
        with pytest.raises(TimeoutError):
            listener.recv(16)


def test_a_policy_that_makes_no_sense_is_refused(running: Running) -> None:
    from holdfast.engine.client import EngineError

    with pytest.raises(EngineError, match="not understood"):
        run(running, "export default [];", options={"egress": "everything"})


#: A shim's side alone: the broker has ended before its end is heard of.
BROKER_THAT_ENDED = """
import os, sys
from holdfast.engine.loop import Loop
from holdfast.engine.shim.egress import Egress
from holdfast.sandbox import processes
from holdfast.sandbox.egress import Policy

calls, first = os.pipe()
os.write(first, b"x")
loop = Loop()
policy = Policy("open") if sys.argv[1] == "ends" else None
egress = Egress(loop, policy, lambda level, text: print(level, text))
egress.start(calls, os.pidfd_open(os.getpid()))
loop.turn()
(broker,) = processes.children(os.getpid())
os.waitid(os.P_PID, broker, os.WEXITED | os.WNOWAIT)
egress.stop()
"""


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("ends", ""),  # what it takes for its run is gone
        ("fails", "warn The broker of this run ended: further connections are refused\n"),
    ],
)
def test_a_broker_that_failed_is_told_even_if_its_run_ends_at_once(how: str, said: str) -> None:
    command = [sys.executable, "-c", BROKER_THAT_ENDED, how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == said, done.stderr
