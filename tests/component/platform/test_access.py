"""Who may see and change what (`holdfast.platform.access.guard`)."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from support.platform import PROJECT, TRIGGER, Served


@pytest.fixture
def stranger(served: Served) -> httpx.Client:
    return httpx.Client(base_url=served.url)


def test_on_this_machine_reading_is_open_and_changing_needs_the_token(
    stranger: httpx.Client,
) -> None:
    with stranger as client:
        assert client.get("/api/runs").status_code == 200
        assert client.get("/").status_code == 200
        for path in ("/api/provision", "/api/runs/x/retry", "/api/workflows/x/runs"):
            answer = client.post(path, json={})
            assert answer.status_code == 401, path
            assert "admin-token" in answer.json()["message"]
        wrong = {"authorization": "Bearer wrong"}
        assert client.post("/api/provision", json={}, headers=wrong).status_code == 401


def test_a_web_site_cannot_reach_it_by_a_name_of_its_own(stranger: httpx.Client) -> None:
    with stranger as client:
        for path in ("/", "/api/runs"):
            assert client.get(path, headers={"host": "evil.example"}).status_code == 403
        assert client.get("/", headers={"host": "localhost:1"}).status_code == 200


def test_a_form_of_another_site_is_refused(served: Served, stranger: httpx.Client) -> None:
    workflow = served.client.get("/api/provision/demo").json()["data"]["workflows"][0]["id"]
    path, form = f"/workflows/{workflow}/run", {"input": "{}"}
    with stranger as client:
        for headers in (
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"origin": "http://evil.example"},
            {},
        ):
            assert client.post(path, data=form, headers=headers).status_code == 403
        good = client.post(path, data=form, headers={"sec-fetch-site": "same-origin"})
        assert good.status_code == 303
        origin = client.post(path, data=form, headers={"origin": served.url})
        assert origin.status_code == 303


def test_webhooks_and_health_are_for_everybody(stranger: httpx.Client) -> None:
    with stranger as client:
        elsewhere = {"host": "flows.example.org"}
        assert client.post(f"/i/{TRIGGER}", json={}, headers=elsewhere).status_code == 200
        assert client.get("/health_check", headers=elsewhere).status_code == 200
        assert client.get("/ready", headers=elsewhere).json()["ready"] is True


def test_with_a_public_address_everything_needs_a_login(data: Path) -> None:
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
        assert "HttpOnly" in cookie
        assert "Secure" in cookie
        assert "SameSite=strict" in cookie
        assert served.platform.keys.admin_token not in cookie
        headers = {"cookie": cookie.partition(";")[0]}
        assert client.get("/runs", headers=headers).status_code == 200
        assert client.get("/runs", headers={"cookie": "holdfast=guess"}).status_code == 303
        for away in ("//evil.example", "https://evil.example/", "/\\evil.example"):
            answer = client.post("/login", params={"next": away}, data=token)
            assert answer.headers["location"] == "/", away


def test_pages_let_nothing_foreign_in(stranger: httpx.Client) -> None:
    with stranger as client:
        headers = client.get("/").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
