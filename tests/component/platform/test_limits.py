"""What one visitor may take of the platform, before anything is known of him."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from holdfast.platform.access import connections
from holdfast.platform.access.limits import Limited, Limits
from holdfast.platform.access.places import Places
from support.platform import TRIGGER, Served
from support.waiting import eventually

MB = 1024 * 1024
#: Doors that take a body from somebody unknown.
OPEN_DOORS = ["/login", f"/i/{TRIGGER}", "/logout", "/api/provision", "/collections/codes/k"]


@pytest.fixture(scope="module")
def hurried(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A platform with little patience."""
    with Served(tmp_path_factory.mktemp("hurried") / "data", patience_seconds=0.4) as served:
        served.deploy()
        yield served


def raw(served: Served, text: bytes) -> socket.socket:
    place = httpx.URL(served.url)
    connection = socket.create_connection((place.host, place.port or 80), 20)
    connection.sendall(text)
    return connection


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def first_line(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as answer:
        return answer.readline()


def test_a_login_of_any_size_is_not_stored(shared: Served) -> None:
    for announced in ("Content-Length: 50000000", "Transfer-Encoding: chunked"):
        kind = "Content-Type: application/x-www-form-urlencoded"
        with raw(shared, head("/login", announced, kind)) as connection:
            if announced.startswith("T"):
                connection.sendall(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
            assert b" 413 " in first_line(connection), announced


@pytest.mark.parametrize("path", ["/api/provision", "/runs/x/retry", "/api/workflows/x/runs"])
def test_no_body_is_read_before_its_sender_is_known(shared: Served, path: str) -> None:
    with raw(shared, head(path, "Content-Length: 1000000")) as connection:
        assert first_line(connection).split()[1] in {b"401", b"303"}


def test_the_bodies_of_those_who_are_known_have_limits_too(shared: Served) -> None:
    most = shared.settings.frame_bytes
    token = f"Authorization: {shared.client.headers['authorization']}"
    with raw(shared, head("/api/provision", token, f"Content-Length: {most + 1}")) as connection:
        assert b" 413 " in first_line(connection)
    answer = shared.client.post("/api/provision", content=b"[" * (most // 2))
    assert answer.status_code == 422


async def test_who_leaves_while_sending_is_no_fault_of_the_platform() -> None:
    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    pieces: list[Message] = [
        {"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"},
    ]  # fmt: skip
    told: list[Message] = []

    async def receive() -> Message:
        return pieces.pop(0)

    async def send(message: Message) -> None:
        told.append(message)

    app = Limited(read, Limits(100, 100, 1, 1))
    await app({"type": "http", "path": "/x", "headers": []}, receive, send)
    assert (pieces, told) == ([], [])


@pytest.mark.parametrize("path", ["/", "/login", f"/i/{TRIGGER}"])
@pytest.mark.parametrize("start", [b"", b"G", b"GET /login HTTP/1.1\r\nHost: localhost\r\nX: "])
def test_a_head_that_does_not_end_is_given_up(hurried: Served, path: str, start: bytes) -> None:
    with raw(hurried, start) as connection:
        assert connection.recv(1) == b""


@pytest.mark.parametrize("path", [f"/i/{TRIGGER}", "/login"])
def test_a_body_that_does_not_end_is_given_up(hurried: Served, path: str) -> None:
    kind = "Content-Type: application/x-www-form-urlencoded"
    with raw(hurried, head(path, "Content-Length: 100", kind) + b"a=b") as connection:
        assert b" 408 " in first_line(connection)
        eventually(lambda: ended(connection), "the connection is closed")


def ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(65536) == b""
    except ConnectionError:
        return True


def test_a_body_that_drips_is_given_up(hurried: Served) -> None:
    """Each piece comes in time, and there is no end to them."""
    stop = threading.Event()
    kind = "Content-Type: application/json"
    with raw(hurried, head(f"/i/{TRIGGER}", "Content-Length: 1000000", kind)) as connection:

        def drip() -> None:
            while not stop.wait(0.05):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            assert b" 408 " in first_line(connection)
        finally:
            stop.set()
            thread.join()


def test_an_answer_that_nobody_reads_is_given_up(hurried: Served) -> None:
    token = hurried.client.headers["authorization"]
    run_id = hurried.post({"text": "x" * (9 * MB)})
    found = hurried.client.get(f"/api/runs/{run_id}").json()["data"]["relationships"]
    path = f"/api/dataclips/{found['dataclip']['data']['id']}/body"
    text = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        place = httpx.URL(hurried.url)
        connection.connect((place.host, place.port))
        connection.sendall(text.encode())
        waiting = select.poll()
        waiting.register(connection, select.POLLHUP)  # not for what could be read
        assert waiting.poll(20_000), "the connection was reset"


def test_the_newest_connection_finds_room(shared: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that only wait are let go, the oldest first."""
    monkeypatch.setattr(connections, "MOST", 20)
    waiting = [raw(shared, b"GET /") for _ in range(40)]
    try:
        for _ in range(3):
            assert httpx.get(f"{shared.url}/health_check").status_code == 200
        eventually(lambda: ended(waiting[0]), "the oldest has gone")
        newest = waiting[-1]
        newest.sendall(b"health_check HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in first_line(newest)
    finally:
        for connection in waiting:
            connection.close()


def test_bodies_have_a_limit_together(data: Path) -> None:
    """What is too much in all is refused, and there is room again when others have gone."""
    with Served(data, payload_mb=0.5) as served:
        served.deploy()
        each = served.settings.payload_bytes - 1000
        number = 8 * served.settings.frame_bytes // each + 2
        start = head(f"/i/{TRIGGER}", f"Content-Length: {each}", "Content-Type: application/json")
        held = [raw(served, start + b" " * (each - 1)) for _ in range(number)]
        try:
            eventually(lambda: select.select(held, [], [], 0)[0], "one of them is answered")
            (answered,) = select.select(held, [], [], 0)[0][:1]
            assert b" 503 " in first_line(answered)
        finally:
            for connection in held:
                connection.close()
        eventually(
            lambda: served.client.post(f"/i/{TRIGGER}", json={}).is_success, "there is room"
        )


def test_live_pages_are_limited_and_end_with_their_session(
    shared: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.platform, "streams", Places(10, 2))
    with (
        shared.person() as person,
        person.stream("GET", "/events") as first,
        person.stream("GET", "/events") as second,
    ):
        texts = [first.iter_text(), second.iter_text()]
        assert all("changed" in next(text) for text in texts)
        assert person.get("/events").status_code == 503
        token = person.get("/").text.split('name="form_token" value="')[1].split('"')[0]
        person.post("/logout", data={"form_token": token})
        shared.post()  # news, which they are not told
        assert ["".join(text) for text in texts] == ["", ""]


def test_every_answer_says_nosniff(shared: Served) -> None:
    door = shared.collections_url
    for url in (
        "/", "/login", "/static/live.js", "/health_check", "/api/runs", f"/i/{TRIGGER}", "/none",
        "/collections/x", "/api/none", door,
    ):  # fmt: skip
        for headers in (httpx.Headers(), shared.client.headers):
            answer = httpx.get(httpx.URL(shared.url).join(url), headers=headers)
            assert answer.headers["x-content-type-options"] == "nosniff", url
    refused = httpx.get(shared.url, headers={"host": "a b"})
    assert refused.headers["x-content-type-options"] == "nosniff"
