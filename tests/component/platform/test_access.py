"""Who may see and change what (`holdfast.platform.access.guard`)."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from holdfast.model.errors import UsageError
from holdfast.platform.settings import Settings
from support.platform import PROJECT, TRIGGER, Served
from support.postgres import sqlite_only


@pytest.fixture
def stranger(shared: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shared.url) as client:
        yield client


def workflow_of(served: Served) -> str:
    found = served.client.get("/api/provision/demo").json()["data"]
    return str(found["workflows"][0]["id"])


def form_token(page: str) -> str:
    found = re.search(r'name="form_token" value="(\w+)"', page)
    assert found, page
    return found[1]


def test_on_this_machine_nothing_is_open_without_a_login(stranger: httpx.Client) -> None:
    assert stranger.get("/api/runs").status_code == 401
    assert stranger.get("/").headers["location"] == "/login?next=/"
    for path in ("/api/provision", "/api/runs/x/retry", "/api/workflows/x/runs"):
        answer = stranger.post(path, json={})
        assert answer.status_code == 401, path
        assert "admin-token" in answer.json()["message"]
    wrong = {"authorization": "Bearer wrong"}
    assert stranger.post("/api/provision", json={}, headers=wrong).status_code == 401


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "0x7f.1",
        "10.0.0.1:4000",
    ],
)
def test_a_web_site_cannot_reach_it_by_a_name_of_its_own(
    stranger: httpx.Client, host: str
) -> None:
    for path in ("/", "/api/runs", "/login", "/session/x"):
        assert stranger.get(path, headers={"host": host}).status_code == 403
    assert stranger.get("/login", headers={"host": "localhost:1"}).status_code == 200
    assert stranger.get("/login", headers={"host": "[::1]:1"}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["[::1", "a b", "127.0.0.1:x", "user@127.0.0.1", "", "127.0.0.1:99999", "[]", "a,b", "/"],
)
def test_a_host_that_cannot_be_read_is_refused(shared: Served, host: str) -> None:
    with shared.person() as person:
        for path in ("/", "/api/runs", "/login", "/health_check", f"/i/{TRIGGER}"):
            assert person.get(path, headers={"host": host}).status_code == 400, path


@pytest.mark.parametrize("hosts", [b"", b"Host: 127.0.0.1\r\nHost: evil.example\r\n"])
def test_one_host_is_needed(shared: Served, hosts: bytes) -> None:
    """HTTP/1.0 has none, and what has two is read differently by different programs."""
    place = httpx.URL(shared.url)
    token = shared.client.headers["authorization"].encode()
    with socket.create_connection((place.host, place.port or 80), 30) as raw:
        raw.sendall(b"GET / HTTP/1.0\r\nAuthorization: " + token + b"\r\n" + hosts + b"\r\n")
        assert raw.makefile("rb").readline().split()[1] == b"400"


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "x-forwarded-host", "via"])
def test_behind_a_proxy_it_must_know_its_public_address(shared: Served, name: str) -> None:
    with shared.person() as person:
        answer = person.get("/login", headers={name: "203.0.113.7"})
    assert answer.status_code == 403
    assert "HOLDFAST_PUBLIC_URL" in answer.text


@pytest.mark.parametrize(
    "address", ["flows.example.org", "//flows.example.org", "https://", "x:1"]
)
def test_a_public_address_must_be_whole(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError, match="not the address of a web page"):
        Settings(data=tmp_path, public_url=address)


def test_a_form_needs_the_number_of_its_session(served: Served) -> None:
    path, form = f"/workflows/{workflow_of(served)}/run", {"input": "{}"}
    with served.person() as person, served.person() as other:
        page = person.get(path.removesuffix("/run")).text
        own, foreign = form_token(page), form_token(other.get("/").text)
        assert own != foreign
        for token in ("", "guess", foreign):
            for headers in ({}, {"sec-fetch-site": "same-origin"}, {"origin": served.url}):
                sent = person.post(path, data={**form, "form_token": token}, headers=headers)
                assert sent.status_code == 403, (token, headers)
        good = {**form, "form_token": own}
        for headers in (
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"origin": "http://["},
            {"content-type": "text/plain"},
        ):
            assert person.post(path, data=good, headers=headers).status_code == 403, headers
        assert person.post(path, data=good).status_code == 303
        assert person.post(path, data=good, headers={"origin": served.url}).status_code == 303


def test_a_page_elsewhere_logs_nobody_in(stranger: httpx.Client, shared: Served) -> None:
    given = {"token": shared.platform.keys.admin_token}
    for foreign in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        answer = stranger.post("/login", data=given, headers=foreign)
        assert (answer.status_code, answer.headers.get("set-cookie")) == (403, None)
    assert stranger.post("/login", data=given).status_code == 303


def test_headers_of_a_browser_do_not_replace_a_session(served: Served) -> None:
    path = f"/workflows/{workflow_of(served)}/run"
    for headers in ({"sec-fetch-site": "same-origin"}, {"origin": served.url}):
        answer = httpx.post(served.url + path, data={"input": "{}"}, headers=headers)
        assert answer.headers["location"] == f"/login?next={path}"
    assert served.client.get("/api/runs").json()["data"] == []


def test_a_login_link_opens_one_session(served: Served) -> None:
    link = served.new_link()
    with (
        httpx.Client(base_url=served.url) as first,
        httpx.Client(base_url=served.url) as second,
    ):
        assert first.head(link).status_code == 204, "a program that only looks leaves it alone"
        assert first.get(f"{link}x").status_code == 401
        opened = first.get(link, params={"next": "/runs"})
        assert opened.headers["location"] == "/runs"
        assert first.get("/").status_code == 200
        used = second.get(link)
        assert used.status_code == 401
        assert "set-cookie" not in used.headers
        assert second.get("/").status_code == 303
        assert second.get(served.login_path).status_code == 303, "the one of the start"
        assert second.get("/").status_code == 200


def test_a_session_ends(data: Path) -> None:
    with Served(data, session_hours=1e-9) as served, served.person() as person:
        assert person.get("/").headers["location"] == "/login?next=/"


def test_logging_out_ends_a_session_for_good(served: Served) -> None:
    with served.person() as person, served.person() as other:
        kept = {"cookie": "; ".join(f"{k}={v}" for k, v in person.cookies.items())}
        token = form_token(person.get("/").text)
        assert person.post("/logout", data={"form_token": token}).status_code == 303
        assert httpx.get(served.url, headers=kept).status_code == 303
        assert other.get("/").status_code == 200
        link = served.new_link()
        everywhere = {"form_token": form_token(other.get("/").text), "everywhere": "1"}
        with served.person() as third:
            other.post("/logout", data=everywhere)
            assert third.get("/").status_code == 303
        assert other.get(link).status_code == 401


@sqlite_only
def test_a_session_outlives_a_restart_but_no_change_of_the_token(data: Path) -> None:
    with Served(data) as served, served.person() as person:
        name, value = dict(person.cookies).popitem()
    assert value not in (data / "platform.db").read_bytes().decode("latin-1")
    for token, status in ((None, 200), ("another", 303)):
        if token is not None:
            (data / "admin-token").write_text(token)
        with Served(data) as served:
            port = served.url.rpartition(":")[2]
            cookie = {"cookie": f"holdfast-{port}={value}"}
            assert name.startswith("holdfast-")
            assert httpx.get(served.url, headers=cookie).status_code == status


def test_webhooks_and_health_are_for_everybody(stranger: httpx.Client) -> None:
    elsewhere = {"host": "flows.example.org", "x-forwarded-for": "203.0.113.7"}
    assert stranger.post(f"/i/{TRIGGER}", json={}, headers=elsewhere).status_code == 200
    assert stranger.get("/health_check", headers=elsewhere).status_code == 200
    assert stranger.get("/ready", headers=elsewhere).json() == {"ready": True}


def test_with_a_public_address_a_login_makes_a_session(data: Path) -> None:
    with (
        Served(data, public_url="https://flows.example.org") as served,
        httpx.Client(base_url=served.url) as client,
    ):
        served.deploy(PROJECT)
        assert client.get("/api/runs").status_code == 401
        there = client.get("/runs")
        assert (there.status_code, there.headers["location"]) == (303, "/login?next=/runs")
        assert client.get("/login").status_code == 200
        assert client.post("/login", data={"token": "wrong"}).status_code == 401
        token = {"token": served.platform.keys.admin_token}
        good = client.post("/login?next=/runs", data=token)
        assert (good.status_code, good.headers["location"]) == (303, "/runs")
        cookie = good.headers["set-cookie"]
        assert cookie.startswith("__Host-holdfast=")
        assert "HttpOnly" in cookie
        assert "Secure" in cookie
        assert "SameSite=strict" in cookie
        assert served.platform.keys.admin_token not in cookie
        again = client.post("/login", data=token).headers["set-cookie"]
        assert again != cookie, "each login makes a session of its own"
        headers = {"cookie": cookie.partition(";")[0], "x-forwarded-for": "203.0.113.7"}
        assert client.get("/runs", headers=headers).status_code == 200
        guess = {"cookie": "__Host-holdfast=guess"}
        assert client.get("/runs", headers=guess).status_code == 303
        for away in ("//evil.example", "https://evil.example/", "/\\evil.example"):
            answer = client.post("/login", params={"next": away}, data=token)
            assert answer.headers["location"] == "/", away


def test_pages_let_nothing_foreign_in(stranger: httpx.Client) -> None:
    headers = stranger.get("/login").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_the_door_for_runs_keeps_its_port(data: Path) -> None:
    with Served(data) as served:
        first = served.collections_url
    with Served(data) as served:
        assert served.collections_url == first
    port = json.loads((data / "address.json").read_text())["collections_port"]
    with Served(data, port=port) as served:
        assert served.collections_url != first, "somebody else has it by now"
