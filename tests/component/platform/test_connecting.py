"""A credential is connected to a provider of OAuth 2: consent there, a code, a token here."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest

from holdfast.platform.access.visit import FORM_FIELD
from holdfast.platform.service import Platform
from holdfast.platform.store import credentials
from holdfast.platform.store.credentials import Place
from support.platform import Served
from support.web import Answer, Asked, Web, serve_web


class Provider:
    """A token endpoint that is as strict as RFC 6749 and RFC 7636 want it."""

    def __init__(self) -> None:
        self.challenge, self.back = "", ""
        self.token: dict[str, Any] = {"access_token": "access-1", "refresh_token": "refresh-1"}
        self.instead: Answer | None = None

    def answer(self, asked: Asked) -> Answer:
        if self.instead is not None:
            return self.instead
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        right = {
            "grant_type": "authorization_code",
            "code": "good-code",
            "redirect_uri": self.back,
        }
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        basic = base64.b64encode(b"client-8:client-secret").decode()
        good = proof == self.challenge and asked.headers["authorization"] == f"Basic {basic}"
        if not good or any(form.get(name) != value for name, value in right.items()):
            return Answer({"error": "invalid_grant"}, 400)
        return Answer({"token_type": "Bearer", "expires_in": 3600, **self.token})


@pytest.fixture
def provider() -> Iterator[tuple[Provider, Web]]:
    made = Provider()
    with serve_web(made.answer) as web:
        yield made, web


@pytest.fixture(scope="module")
def person(shared: Served) -> Iterator[httpx.Client]:
    with shared.person() as client:
        yield client


@pytest.fixture(scope="module")
def own(shared: Served) -> str:
    project = shared.client.get("/api/provision/demo").json()["data"]
    return f"/projects/{project['id']}"


def client_at(served: Served, web: Web, **more: Any) -> str:
    asked = {
        "name": "mail", "client_id": "client-8", "client_secret": "client-secret",
        "token_endpoint": f"{web.address}/token", "scopes": ["mail.read", "offline"],
        "authorization_endpoint": f"{web.address}/consent?prompt=consent", **more,
    }  # fmt: skip
    made = served.client.post("/api/oauth_clients", json=asked)
    assert made.status_code == 201, made.text
    return str(made.json()["data"]["id"])


def fill(person: httpx.Client, own: str, path: str, **values: str) -> httpx.Response:
    page = person.get(f"{own}/credentials").text
    number = re.search(f'name="{FORM_FIELD}" value="([0-9a-f]+)"', page)
    assert number
    return person.post(f"{own}/{path}", data={FORM_FIELD: number[1], **values})


def leave(person: httpx.Client, own: str, **values: str) -> httpx.Response:
    return fill(person, own, "credentials/connect", **values)


def onward(answer: httpx.Response) -> str:
    """Where the page leads the browser."""
    assert answer.status_code == 200, answer.text
    found = re.search('content="0; url=([^"]+)"', answer.text)
    assert found, answer.text
    return html.unescape(found[1])


def begin(
    served: Served, person: httpx.Client, own: str, there: tuple[Provider, Web], **more: str
) -> dict[str, str]:
    """Go to the provider; what it is asked."""
    made, web = there
    values = {"name": "inbox", "client": client_at(served, web), **more}
    url = onward(leave(person, own, **values))
    assert url.startswith(f"{web.address}/consent?")
    asked = dict(parse_qsl(urlsplit(url).query))
    made.challenge, made.back = asked["code_challenge"], asked["redirect_uri"]
    return asked


def come_back(person: httpx.Client, state: str, **said: str) -> httpx.Response:
    """As a browser comes back: to the one address, and on to the project's page."""
    said = {"code": "good-code", **said}
    return person.get(onward(person.get("/oauth/back", params={"state": state, **said})))


def body_of(served: Served, name: str, environment: str = "main") -> Any:
    (row,) = served.client.get("/api/credentials", params={"name": name}).json()["data"]

    async def read(platform: Platform) -> Any:
        place = Place(row["id"], environment)
        return await platform.database.read(
            partial(credentials.body_at, keys=platform.keys, place=place)
        )

    return served.call(read)


def test_a_credential_is_connected_and_connected_again(
    shared: Served, person: httpx.Client, own: str, provider: tuple[Provider, Web],
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    made, _ = provider
    asked = begin(shared, person, own, provider, environment="staging")
    assert asked["redirect_uri"] == f"{shared.url}/oauth/back"
    assert asked["scope"] == "mail.read offline"
    assert (asked["prompt"], asked["code_challenge_method"]) == ("consent", "S256")
    done = come_back(person, asked["state"])
    assert done.status_code == 303
    assert done.headers["location"] == f"{own}/credentials"
    body = body_of(shared, "inbox", "staging")
    assert 3500 < body.pop("expires_at") - time.time() <= 3600
    token = {"access_token": "access-1", "refresh_token": "refresh-1", "token_type": "Bearer"}
    assert body == token
    page = person.get(f"{own}/credentials").text
    assert "Connect again" in page
    assert "access-1" not in page
    assert come_back_again(person, asked["state"]).status_code == 422
    # somebody else's account: nothing of the first token stays, the other values do
    (row,) = shared.client.get("/api/credentials", params={"name": "inbox"}).json()["data"]
    values = {"body": {**token, "server": "https://x.org"}, "environment": "staging"}
    assert shared.client.patch(f"/api/credentials/{row['id']}", json=values).status_code == 200
    made.token = {"access_token": "access-2"}
    state = begin(shared, person, own, provider, environment="staging")["state"]
    assert come_back(person, state).status_code == 303
    assert body_of(shared, "inbox", "staging").items() >= {
        "access_token": "access-2", "server": "https://x.org",
    }.items()  # fmt: skip
    assert "refresh_token" not in body_of(shared, "inbox", "staging")
    actions = [row["action"] for row in shared.client.get("/api/audit").json()["data"]]
    assert {"credential's provider asked", "credential connected"} <= set(actions)
    told = "".join(capfd.readouterr())
    for secret in ("access-1", "refresh-1", "client-secret", "good-code"):
        assert secret not in told


def come_back_again(person: httpx.Client, state: str) -> httpx.Response:
    return person.get("/oauth/back", params={"state": state, "code": "good-code"})


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"error": "access_denied"}, "said no (access_denied)"),
        ({"error": "<b>token</b>"}, "said no (error)"),
        ({"code": ""}, "said no (error)"),
        ({"code": "another-code"}, "said no (invalid_grant)"),
        ({"state": "another"}, "did not begin"),
    ],
    ids=["denied", "odd word", "no code", "wrong code", "state"],
)
def test_who_comes_back_without_consent_is_told(
    shared: Served, person: httpx.Client, own: str, provider: tuple[Provider, Web],
    said: dict[str, str], text: str,
) -> None:  # fmt: skip
    asked = begin(shared, person, own, provider, name="never")
    answer = come_back(person, **{"state": asked["state"], **said})
    assert answer.status_code == 422
    assert text in answer.text
    assert shared.client.get("/api/credentials", params={"name": "never"}).json()["data"] == []


@pytest.mark.parametrize(
    "instead",
    [
        Answer("down", 503),
        Answer("<p>access-1</p>"),
        Answer([]),
        Answer({"token_type": "x"}),
        Answer({"access_token": "access-1", "expires_in": [1]}),
        Answer({"access_token": "access-1", "expires_in": float("inf")}),
        Answer({"access_token": "access-1", "expires_at": {}}),
    ],
    ids=["down", "no JSON", "no object", "no token", "a list", "no end", "an object"],
)
def test_a_provider_that_gives_no_token_is_told(
    shared: Served, person: httpx.Client, own: str, provider: tuple[Provider, Web], instead: Answer
) -> None:
    asked = begin(shared, person, own, provider, name="never")
    provider[0].instead = instead
    answer = come_back(person, asked["state"])
    assert answer.status_code == 422
    assert "Try again later" in answer.text
    assert "access-1" not in answer.text


def test_another_session_cannot_end_what_one_began(
    shared: Served, person: httpx.Client, own: str, provider: tuple[Provider, Web]
) -> None:
    """Else somebody could be made to keep a stranger's account as their own."""
    asked = begin(shared, person, own, provider, name="never")
    with shared.person() as other:
        assert come_back_again(other, asked["state"]).status_code == 422
        other.cookies.update({"holdfast-connecting": person.cookies["holdfast-connecting"]})
        answer = come_back(other, asked["state"])
    assert answer.status_code == 422
    assert "did not begin" in answer.text
    with httpx.Client(base_url=shared.url) as nobody:
        query = {"state": asked["state"], "code": "good-code"}
        away = nobody.get(f"{own}/credentials/connected", params=query)
        assert away.headers["location"].startswith("/login")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"name": ""}, "A name is needed"),
        ({"environment": "a b"}, "environment must be"),
        ({"client": "nowhere"}, "no such OAuth client"),
        ({"name": "raw one"}, "with the schema raw"),
    ],
)
def test_a_form_that_cannot_begin_says_why(
    shared: Served, person: httpx.Client, own: str, provider: tuple[Provider, Web],
    values: dict[str, str], text: str,
) -> None:  # fmt: skip
    shared.client.post("/api/projects/demo/credentials", json={"name": "raw one", "body": {}})
    client = client_at(shared, provider[1])
    answer = leave(person, own, **{"name": "never", "client": client, **values})
    assert answer.status_code == 422
    assert text in answer.text


def test_a_credential_that_was_made_meanwhile_stays(
    shared: Served, person: httpx.Client, own: str, provider: tuple[Provider, Web]
) -> None:
    asked = begin(shared, person, own, provider, name="taken")
    body = {"name": "taken", "body": {"password": "a-password"}}
    assert shared.client.post("/api/projects/demo/credentials", json=body).is_success
    answer = come_back(person, asked["state"])
    assert answer.status_code == 422
    assert "with the schema raw" in answer.text
    assert body_of(shared, "taken") == {"password": "a-password"}


def test_a_client_without_a_place_for_consent_is_not_offered(
    shared: Served, person: httpx.Client, own: str, provider: tuple[Provider, Web]
) -> None:
    client = client_at(shared, provider[1], authorization_endpoint=None)
    assert client not in person.get(f"{own}/credentials").text
    assert leave(person, own, name="never", client=client).status_code == 422


def test_an_administrator_sets_a_provider_on_the_page(
    shared: Served, person: httpx.Client, own: str
) -> None:
    values = {
        "name": "Post", "client_id": "client-9", "client_secret": "secret-of-client",
        "authorization_endpoint": "https://x.example.org/a",
        "token_endpoint": "https://x.example.org/t", "scopes": "one two",
    }  # fmt: skip
    wrong = fill(person, own, "oauth_clients", **{**values, "token_endpoint": "http://x.org"})
    assert wrong.status_code == 422
    assert "token endpoint must be an https address" in wrong.text
    assert fill(person, own, "oauth_clients", **values).status_code == 303
    without = {name: text for name, text in values.items() if name != "client_secret"}
    assert fill(person, own, "oauth_clients", **without).status_code == 303
    (client,) = [
        one
        for one in shared.client.get("/api/oauth_clients").json()["data"]
        if one["name"] == "Post"
    ]
    assert (client["scopes"], client["has_secret"]) == (["one", "two"], True)
    page = person.get(f"{own}/credentials").text
    assert f'<option value="{client["id"]}">Post</option>' in page
    assert "secret-of-client" not in page
