"""Tokens of OAuth 2 are renewed when a run asks for them: once, kept, and never in a log."""

from __future__ import annotations

import asyncio
import base64
import time
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from holdfast.platform.renewal import RenewalError, Renewals
from holdfast.platform.secrets import oauth
from holdfast.platform.service import Platform
from holdfast.platform.store import credentials
from support.platform import Served
from support.web import Answer, Asked, Web, serve_web

JOB, TRIGGER, KEY, MINE, FLOW = (str(uuid.UUID(int=800 + n)) for n in range(5))
PROJECT: dict[str, Any] = {
    "id": MINE,
    "name": "sheets",
    "project_credentials": [{"id": KEY, "name": "sheet", "owner": ""}],
    "workflows": [{
        "id": FLOW,
        "name": "W",
        "jobs": [{"id": JOB, "name": "J", "body": "fn(s => s)", "project_credential_id": KEY}],
        "triggers": [{"id": TRIGGER, "type": "webhook", "enabled": True}],
        "edges": [{"source_trigger_id": TRIGGER, "target_job_id": JOB,
                   "condition_type": "always"}],
    }],
}  # fmt: skip


class Provider:
    """A token endpoint that takes each refresh token once, as strict providers do."""

    def __init__(self) -> None:
        self.good, self.count = "refresh-token-0", 0
        self.instead: Answer | None = None

    def answer(self, asked: Asked) -> Answer:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        if self.instead is not None:
            return self.instead
        basic = base64.b64encode(b"client-7:client-secret").decode()
        assert asked.headers["authorization"] == f"Basic {basic}"
        assert form["grant_type"] == "refresh_token"
        if form["refresh_token"] != self.good:
            return Answer(
                {"error": "invalid_grant", "error_description": form["refresh_token"]}, 400
            )
        self.count += 1
        self.good = f"refresh-token-{self.count}"
        return Answer({
            "access_token": f"access-token-{self.count}", "refresh_token": self.good,
            "token_type": "Bearer", "expires_in": 3600,
        })  # fmt: skip


@pytest.fixture(scope="module")
def sheets(shared: Served) -> Served:
    shared.deploy(PROJECT)
    return shared


@pytest.fixture
def provider() -> Iterator[tuple[Provider, Web]]:
    made = Provider()
    with serve_web(made.answer) as web:
        yield made, web


def connect(served: Served, web: Web, **token: Any) -> None:
    """Give the credential a client at this provider and a token that is about to end."""
    client = {
        "name": "sheets", "client_id": "client-7", "client_secret": "client-secret",
        "token_endpoint": f"{web.address}/token",
    }  # fmt: skip
    made = served.client.post("/api/oauth_clients", json=client)
    assert made.status_code == 201, made.text
    body = {
        "access_token": "old-access-token", "refresh_token": "refresh-token-0",
        "expires_at": int(time.time()) + 120, "instance_url": "https://x.org", **token,
    }  # fmt: skip
    asked = {"name": "sheet", "schema": "oauth", "body": body,
             "oauth_client_id": made.json()["data"]["id"]}  # fmt: skip
    answer = served.client.post("/api/projects/sheets/credentials", json=asked)
    assert answer.status_code == 201, answer.text
    assert "client-secret" not in served.client.get("/api/oauth_clients").text


def fetch(served: Served, *lines: str) -> dict[str, Any]:
    served.post(trigger=TRIGGER)
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        answer = talk.push("fetch:credential", {"id": KEY})
        if lines:
            talk.log(*lines)
        talk.complete()
    answer["run"] = talk.id
    return answer


def test_a_token_about_to_end_is_renewed_and_kept(
    sheets: Served, provider: tuple[Provider, Web], capfd: pytest.CaptureFixture[str]
) -> None:
    made, web = provider
    connect(sheets, web)
    first = fetch(sheets, "access-token-1")
    assert first["status"] == "ok", first
    body = first["response"]
    assert body["access_token"] == "access-token-1"
    assert body["instance_url"] == "https://x.org"
    assert 3500 < body["expires_at"] - time.time() <= 3600
    assert "refresh_token" not in body  # whoever has it can have new tokens for ever
    assert fetch(sheets)["response"] == body
    assert made.count == 1
    assert sheets.logs(first["run"]) == ["***"]
    told = "".join(capfd.readouterr())
    for secret in ("access-token", "refresh-token", "client-secret"):
        assert secret not in told


def test_a_token_without_end_or_refresh_is_given_as_it_is(
    sheets: Served, provider: tuple[Provider, Web]
) -> None:
    made, web = provider
    connect(sheets, web, expires_at=int(time.time()) + 3600)
    assert fetch(sheets)["response"]["access_token"] == "old-access-token"
    connect(sheets, web, refresh_token="")
    assert fetch(sheets)["response"]["access_token"] == "old-access-token"
    assert (made.count, web.asked) == (0, [])


@pytest.mark.parametrize(
    ("instead", "text"),
    [
        (Answer({"error": "invalid_grant"}, 400), "(invalid_grant): connect it again"),
        (Answer({"error": "refresh-token-0"}, 400), "(error): connect it again"),
        (Answer("<p>refresh-token-0</p>", 200), "try again later"),
        (Answer("down", 503), "try again later"),
        (Answer({"token_type": "Bearer"}), "try again later"),
        (Answer([], 200), "try again later"),
    ],
    ids=["refused", "odd word", "no JSON", "down", "no token", "no object"],
)
def test_a_failure_is_told_without_secrets(
    sheets: Served,
    provider: tuple[Provider, Web],
    capfd: pytest.CaptureFixture[str],
    instead: Answer,
    text: str,
) -> None:
    made, web = provider
    made.instead = instead
    connect(sheets, web, expires_at=int(time.time()) - 5)
    answer = fetch(sheets)
    assert answer["status"] == "error"
    said = answer["response"]["errors"]["id"][0]
    assert text in said
    assert "refresh-token" not in said + "".join(capfd.readouterr())
    # while the old one is good, the run gets along with it
    connect(sheets, web, expires_at=int(time.time()) + 120)
    assert fetch(sheets)["response"]["access_token"] == "old-access-token"


def test_many_runs_and_processes_at_once_renew_once(
    sheets: Served, provider: tuple[Provider, Web]
) -> None:
    made, web = provider
    connect(sheets, web)

    async def all_at_once(platform: Platform) -> list[Any]:
        row = await platform.database.read(lambda c: credentials.find(c, KEY))
        assert row is not None
        others = [Renewals(platform.database) for _ in range(3)]  # as other processes have
        asked = [one.renew(row, platform.keys) for one in others for _ in range(4)]
        return await asyncio.gather(*asked, return_exceptions=True)

    assert sheets.call(all_at_once) == [None] * 12
    assert made.count == 1
    assert fetch(sheets)["response"]["access_token"] == "access-token-1"


def test_a_provider_that_is_not_there_is_told(sheets: Served) -> None:
    connect(sheets, Web("http://127.0.0.1:1"), expires_at=1)

    async def renew(platform: Platform) -> None:
        row = await platform.database.read(lambda c: credentials.find(c, KEY))
        assert row is not None
        with pytest.raises(RenewalError, match="try again later"):
            await platform.renewals.renew(row, platform.keys)

    sheets.call(renew)


def test_a_client_in_use_stays_and_endpoints_are_https(sheets: Served) -> None:
    connect(sheets, Web("https://provider.example.org"))
    (client,) = sheets.client.get("/api/oauth_clients").json()["data"]
    path = f"/api/oauth_clients/{client['id']}"
    assert sheets.client.delete(path).status_code == 409
    answer = sheets.client.patch(f"/api/credentials/{KEY}", json={"oauth_client_id": None})
    assert answer.status_code == 200
    assert sheets.client.delete(path).status_code == 204
    assert sheets.client.delete(path).status_code == 404
    answer = sheets.client.patch(f"/api/credentials/{KEY}", json={"oauth_client_id": client["id"]})
    assert answer.status_code == 422
    for bad in (
        "http://provider.example.org/t",
        "http://169.254.169.254/",
        "ftp://x",
        "https://",
        "[",
    ):
        asked = {"name": "x", "client_id": "x", "token_endpoint": bad}
        assert sheets.client.post("/api/oauth_clients", json=asked).status_code == 422, bad


@pytest.mark.parametrize(
    ("body", "end"),
    [
        ({"expires_in": 60}, 1060),
        ({"expires_in": 60, "expires_at": 5}, 5),
        ({"expires_in": True}, None),
        ({"expires_in": "60"}, None),
    ],
)
def test_the_end_of_a_token_is_written_down_when_it_is_set(body: Any, end: int | None) -> None:
    assert oauth.dated(body, 1000.0).get("expires_at") == end


@pytest.mark.parametrize(
    ("seconds", "end"), [(60, 1060), ("60", 1060), ("soon", None), ("", None)]
)
def test_the_end_of_a_providers_token_may_be_a_text(seconds: Any, end: int | None) -> None:
    answer = {"access_token": "x", "expires_in": seconds}
    body = oauth.connected({"server": "s", "refresh_token": "old"}, answer, 1000.0)
    assert body.get("expires_at") == end
    assert (body["server"], "refresh_token" in body) == ("s", False)
