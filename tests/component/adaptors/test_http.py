"""`language-http`, end to end: source, compiler, engine, sandbox, a server on loopback."""

from __future__ import annotations

import csv
import io
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from holdfast.model.record import Kind
from support.adaptors import HTTP
from support.runs import Runs
from support.web import Answer, Asked, Web, serve_web

PAGES = 4


class Service:
    """What the server answers; kept here so that a test can look inside."""

    def __init__(self) -> None:
        self.failures_left = 2
        self.hang = threading.Event()

    def __call__(self, asked: Asked) -> Answer:
        name = asked.path.strip("/").replace("-", "_").replace("/", "_") or "echo"
        handler: Callable[[Asked], Answer] = getattr(self, name, self.echo)
        return handler(asked)

    def echo(self, asked: Asked) -> Answer:
        kept = ("content-type", "authorization", "x-trace")
        headers = {name: asked.headers[name] for name in kept if name in asked.headers}
        body = asked.body.decode(errors="replace")
        return Answer(
            {"method": asked.method, "query": asked.query, "headers": headers, "body": body}
        )

    def items(self, asked: Asked) -> Answer:
        page = int(asked.query["page"])
        following = f"/items?page={page + 1}" if page < PAGES else None
        return Answer({"items": [page * 10 + n for n in range(3)], "next": following})

    def flaky(self, asked: Asked) -> Answer:
        self.failures_left -= 1
        return Answer({"error": "busy"}, 503) if self.failures_left >= 0 else Answer({"ok": True})

    def missing(self, asked: Asked) -> Answer:
        return Answer({"error": "no such patient"}, 404)

    def hanging(self, asked: Asked) -> Answer:
        self.hang.wait(30)
        return Answer({})

    def big(self, asked: Asked) -> Answer:
        return Answer({"rows": ["x" * 1000] * 20_000})

    def count(self, asked: Asked) -> Answer:
        return Answer({"bytes": len(asked.body)})

    def stream(self, asked: Asked) -> Answer:
        def pieces() -> Iterator[bytes]:
            text = io.StringIO()
            rows = csv.writer(text)
            rows.writerow(["id", "name"])
            for number in range(5000):
                rows.writerow([number, f"patient {number}"])
                if text.tell() > 10_000:
                    yield text.getvalue().encode()
                    text.seek(0)
                    text.truncate()
            yield text.getvalue().encode()

        return Answer(pieces(), headers={"content-type": "text/csv"})

    def moved(self, asked: Asked) -> Answer:
        return Answer(None, 302, {"location": "/echo?from=moved"})

    def page(self, asked: Asked) -> Answer:
        table = "<table><tr><td>a</td><td>1</td></tr><tr><td>b</td><td>2</td></tr></table>"
        return Answer(table, headers={"content-type": "text/html"})

    def image(self, asked: Asked) -> Answer:
        return Answer(bytes(range(256)), headers={"content-type": "image/png"})


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.hang.set()


@pytest.fixture
def web(service: Service) -> Iterator[Web]:
    with serve_web(service) as running:
        yield running


def test_every_verb_with_query_headers_and_body(runs: Runs, web: Web) -> None:
    finished = runs.job(
        """
        fn(s => ({ ...s, seen: [] }));
        get('/echo', { query: { a: 1, b: 'x y' }, headers: { 'x-trace': 't1' } });
        fn(s => { s.seen.push(s.data); return s });
        post('/echo', { name: $.nothing, id: 7 });
        fn(s => { s.seen.push(s.data); return s });
        put('/echo/1', s => ({ count: s.seen.length }));
        fn(s => { s.seen.push(s.data); return s });
        patch('/echo/1', 'plain', { contentType: 'string' });
        fn(s => { s.seen.push(s.data); return s });
        del('/echo/1');
        fn(s => { s.seen.push(s.data); return s });
        request('OPTIONS', '/echo');
        fn(s => { s.seen.push(s.data); return s });
        post('/echo', { field: 'value' }, { contentType: 'form' });
        fn(s => { s.seen.push(s.data); return s });
        post('/echo', '<a/>', { contentType: 'xml' });
        fn(s => ({ data: [...s.seen, s.data], references: s.references.length }));
        """,
        HTTP,
        configuration={"baseUrl": web.address, "username": "ann", "password": "pw-9918"},
    )
    got = finished.data
    verbs = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "POST", "POST"]
    assert [item["method"] for item in got] == verbs == [asked.method for asked in web.asked]
    assert got[0]["query"] == {"a": "1", "b": "x y"}
    assert got[0]["headers"]["x-trace"] == "t1"
    assert got[1]["body"] == '{"id":7}'
    assert got[2]["body"] == '{"count":2}'
    assert (got[3]["body"], got[3]["headers"]["content-type"]) == ("plain", "text/plain")
    assert got[6]["headers"]["content-type"].startswith("multipart/form-data")
    assert 'name="field"' in got[6]["body"]
    assert got[7]["headers"]["content-type"] == "application/xml"
    assert {item["headers"]["authorization"] for item in got} == {"Basic YW5uOnB3LTk5MTg="}
    assert finished.state["references"] == 8
    # One line per request, and no secret in any record, plain or encoded.
    lines = [line for line in finished.log() if re.search(r" - 200 in \d+ms", line)]
    assert len(lines) == len(verbs)
    told = "".join(str(body) for kind, body in finished.bodies if kind == Kind.LOG)
    assert "pw-9918" not in told
    assert "YW5uOnB3LTk5MTg=" not in told


def test_bearer_token_and_response(runs: Runs, web: Web) -> None:
    finished = runs.job(
        "get('/echo', { query: { q: 1 } }); fn(s => ({ ...s, seen: s.response }));",
        HTTP,
        configuration={"baseUrl": web.address, "access_token": "tok-4711-abc"},
    )
    assert finished.data["query"] == {"q": "1"}
    assert web.asked[0].headers["authorization"] == "Bearer tok-4711-abc"
    seen = finished.state["seen"]
    assert (seen["statusCode"], seen["statusMessage"], seen["method"]) == (200, "OK", "GET")
    assert seen["headers"]["content-type"] == "application/json"
    assert "response" not in finished.state
    assert "configuration" not in finished.state


def test_pages_are_followed_to_the_last(runs: Runs, web: Web) -> None:
    finished = runs.job(
        """
        fn(async s => {
          const items = [];
          let next = '/items?page=1';
          while (next) {
            const page = await get(next)(s);
            items.push(...page.data.items);
            next = page.data.next;
          }
          return { ...s, data: items };
        });
        """,
        HTTP,
        configuration={"baseUrl": web.address},
    )
    assert finished.data == [page * 10 + n for page in range(1, PAGES + 1) for n in range(3)]


def test_a_busy_server_is_asked_again(runs: Runs, web: Web) -> None:
    finished = runs.job(
        """
        const again = (operation, left) => async state => {
          try { return await operation(state) } catch (error) {
            if (left === 0 || error.statusCode !== 503) throw error;
            await new Promise(resolve => setTimeout(resolve, 5));
            return again(operation, left - 1)(state);
          }
        };
        fn(again(get('/flaky'), 3));
        get('/missing').catch((error, state) => ({ ...state, caught: error.statusCode }));
        get('/missing', { errors: { 404: false } }).then(s => ({ ...s, quiet: s.data.error }));
        fn(s => ({ data: [s.caught, s.quiet] }));
        """,
        HTTP,
        configuration={"baseUrl": web.address},
    )
    assert finished.data == [404, "no such patient"]
    assert [asked.path for asked in web.asked] == ["/flaky"] * 3 + ["/missing"] * 2


def test_a_refusal_says_everything_the_server_said(runs: Runs, web: Web) -> None:
    finished = runs.job("get('/missing')", HTTP, configuration={"baseUrl": web.address})
    assert finished.outcome.reason == "fail"
    assert finished.outcome.error_type == "AdaptorError"
    details = finished.error["details"]
    assert (details["statusCode"], details["method"]) == (404, "GET")
    assert details["url"] == f"{web.address}/missing"
    assert "no such patient" in str(details["body"])


def test_a_relative_address_without_base_never_reaches_the_network(runs: Runs, web: Web) -> None:
    finished = runs.job("get('/echo')", HTTP)
    assert finished.outcome.reason == "fail"
    assert finished.error["details"]["code"] == "UNEXPECTED_RELATIVE_URL"
    assert "Set the baseUrl" in finished.error["details"]["fix"]
    assert web.asked == []


def test_redirects_markup_and_binary_bodies(runs: Runs, web: Web) -> None:
    finished = runs.job(
        """
        get('/moved');
        fn(s => ({ ...s, followed: s.data.query.from }));
        get('/page', { parseAs: 'text' });
        parseXML(s => s.data, $ => JSON.stringify($('td').map((i, e) => $(e).text()).get()));
        fn(s => ({ ...s, cells: s.data }));
        get('/image', { parseAs: 'base64' });
        fn(s => ({ data: [s.followed, Buffer.from(s.data, 'base64').length] }));
        """,
        HTTP,
        configuration={"baseUrl": web.address},
    )
    assert finished.data == ["moved", 256]


def test_big_bodies_in_both_directions(runs: Runs, web: Web) -> None:
    finished = runs.job(
        """
        get('/big');
        fn(s => ({ ...s, rows: s.data.rows.length }));
        post('/count', s => s.data);
        fn(s => ({ data: [s.rows, s.data.bytes], references: [] }));
        """,
        HTTP,
        configuration={"baseUrl": web.address},
    )
    rows, size = finished.data
    assert rows == 20_000
    assert size > 20_000_000
    assert len(web.asked[1].body) == size


def test_a_stream_is_read_as_it_comes(runs: Runs, web: Web) -> None:
    finished = runs.job(
        """
        get('/stream', { parseAs: 'stream' });
        fn(async s => {
          let bytes = 0;
          for await (const piece of s.data) bytes += piece.length;
          return { ...s, bytes, data: {} };
        });
        get('/stream', { parseAs: 'stream' });
        fn(s => ({ ...s, counts: [] }));
        parseCsv(s => s.data, { chunkSize: 1000 }, (s, rows) => {
          s.counts.push([rows.length, rows[0].name]);
          return s;
        });
        fn(s => ({ data: { bytes: s.bytes, counts: s.counts }, references: [] }));
        """,
        HTTP,
        configuration={"baseUrl": web.address},
    )
    assert finished.data["bytes"] > 90_000
    assert finished.data["counts"] == [[1000, f"patient {n * 1000}"] for n in range(5)]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("get('/hanging', { timeout: 200 })", "Headers Timeout Error"),
        ("get('http://127.0.0.1:1/')", "ECONNREFUSED|bad port"),
        ("get('http://no-such-host.invalid/')", "ENOTFOUND|EAI_AGAIN|getaddrinfo"),
    ],
)
def test_a_server_that_does_not_answer_is_a_failure_of_the_step(
    runs: Runs, web: Web, source: str, words: str
) -> None:
    base = {"baseUrl": web.address} if "hanging" in source else {}
    finished = runs.job(source, HTTP, configuration=base)
    assert finished.outcome.reason == "fail", finished.log()
    assert re.search(words, str(finished.error)), finished.error


def authority(folder: Path) -> tuple[str, ssl.SSLContext]:
    """A certificate authority of our own and a server certificate by it."""
    now = datetime.now(UTC)

    def certificate(name: str, issuer: Any, key: Any, by: Any, ca: bool) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(by, hashes.SHA256())
        )

    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = certificate("Test authority", None, root_key, root_key, ca=True)
    leaf = certificate("localhost", root.subject, key, root_key, ca=False)
    pem = serialization.Encoding.PEM
    (folder / "leaf.pem").write_bytes(leaf.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem", folder / "key.pem")
    return root.public_bytes(pem).decode(), context


def test_tls_with_an_authority_of_ones_own(runs: Runs, tmp_path: Path, service: Service) -> None:
    ca, context = authority(tmp_path)
    with serve_web(service, tls=context) as web:
        trusted = {"baseUrl": web.address, "tls": {"ca": ca}}
        finished = runs.job("get('/echo')", HTTP, configuration=trusted)
        assert finished.data["method"] == "GET"
        stranger = runs.job("get('/echo')", HTTP, configuration={"baseUrl": web.address})
        assert stranger.outcome.reason == "fail"
        assert "certificate" in str(stranger.error)
        assert len(web.asked) == 1
