"""Single sign-on by OpenID Connect, against a provider of the test: who comes in, who not."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from holdfast.model.errors import UsageError
from holdfast.platform.settings import Settings
from holdfast.platform.store import accounts
from support.platform import Served
from support.web import Answer, Asked, Web, serve_web

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLIENT = "holdfast-at-home"


class Provider:
    """A provider that says what it is told to, and is strict where a real one is."""

    def __init__(self) -> None:
        self.web: Web | None = None
        self.claims: dict[str, Any] = {}
        self.key: Any = KEY
        self.algorithm = "RS256"
        self.challenge = ""

    @property
    def issuer(self) -> str:
        assert self.web is not None
        return self.web.address

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/.well-known/openid-configuration":
            names = {
                "authorization_endpoint": "/auth",
                "token_endpoint": "/token",
                "jwks_uri": "/keys",
            }
            urls = {name: self.issuer + path for name, path in names.items()}
            return Answer({"issuer": self.issuer, **urls})
        if asked.path == "/keys":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
            return Answer({"keys": [{**public, "kid": "1", "alg": "RS256", "use": "sig"}]})
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self.challenge:
            return Answer({"error": "invalid_grant"}, 400)
        if form["code"] != "good-code":
            return Answer({"error": "invalid_grant"}, 400)
        token = jwt.encode(self.claims, self.key, self.algorithm, headers={"kid": "1"})
        return Answer({"access_token": "x", "token_type": "Bearer", "id_token": token})


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    made = Provider()
    with serve_web(made.answer) as web:
        made.web = web
        yield made


@pytest.fixture(scope="module")
def home(
    provider: Provider, made: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("home") / "data"
    shutil.copytree(made, data)
    given = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": "s",
             "oidc_name": "Ministry"}  # fmt: skip
    with Served(data, **given) as served:
        for email in ("jo@example.org", "gone@example.org"):
            asked = {"email": email, "name": email}
            assert served.client.post("/api/users", json=asked).status_code == 201
        gone = {"disabled": True}
        assert served.client.patch("/api/users/gone@example.org", json=gone).status_code == 200
        yield served


def come(home: Served, provider: Provider, *, code: str = "good-code", state: str = "",
         cookies: bool = True, **claims: Any) -> httpx.Response:  # fmt: skip
    """Go to the provider and come back, as a browser of a stranger does."""
    with httpx.Client(base_url=home.url, timeout=30) as browser:
        there = browser.get("/login/sso", params={"next": "/runs"})
        assert there.status_code == 303, there.text
        asked = dict(parse_qsl(urlsplit(there.headers["location"]).query))
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] == f"{home.url}/login/sso/back"
        assert "httponly" in there.headers["set-cookie"].lower()
        assert asked["state"] not in there.headers["set-cookie"]
        provider.challenge = asked["code_challenge"]
        provider.claims = {
            "iss": provider.issuer, "aud": CLIENT, "sub": "person-1", "nonce": asked["nonce"],
            "iat": int(time.time()), "exp": int(time.time()) + 300, "email": "Jo@example.org",
            "email_verified": True, "name": "Jo", **claims,
        }  # fmt: skip
        if not cookies:
            browser.cookies.clear()
        query = {"code": code, "state": state or asked["state"]}
        answer = browser.get("/login/sso/back", params=query)
        if answer.status_code == 200:
            seen = browser.get("/account")
            assert seen.status_code == 200
            answer.extensions["page"] = seen.text
        return answer


def test_who_has_an_account_comes_in_and_is_known_again(home: Served, provider: Provider) -> None:
    with httpx.Client(base_url=home.url) as browser:
        assert "Log in with Ministry" in browser.get("/login").text
    answer = come(home, provider)
    assert answer.status_code == 200, answer.text
    assert 'content="0; url=/runs"' in answer.text
    assert "jo@example.org" in answer.extensions["page"]
    # later the address has changed there, and nobody else gets the account
    again = come(home, provider, email="jo.new@example.org")
    assert "jo@example.org" in again.extensions["page"]
    events = home.client.get("/api/audit").json()["data"]
    assert any(
        event["action"] == "login" and event["actor"] == "jo@example.org" for event in events
    )


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "2", "email": "stranger@example.org"},
        {"sub": "3", "email_verified": False},
        {"sub": "3", "email_verified": "true"},
        {"sub": "4", "email": "gone@example.org"},
        {"sub": "5", "email": ["jo@example.org"]},
        {"nonce": "another"},
        {"aud": "another"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"iss": "https://another.example.org"},
        {"exp": int(time.time()) - 3600},
        {"sub": None},
    ],
    ids=["unknown", "unchecked", "text", "disabled", "list", "nonce", "audience", "party",
         "issuer", "expired", "nobody"],
)  # fmt: skip
def test_nobody_else_comes_in(home: Served, provider: Provider, claims: dict[str, Any]) -> None:
    answer = come(home, provider, **claims)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers or "holdfast-4" not in answer.headers["set-cookie"]
    _forgive(home)


def _forgive(home: Served) -> None:
    """Wrong tries are counted, also those of this test."""
    home.platform.rates = type(home.platform.rates).of(home.settings)


@pytest.mark.parametrize(
    "change",
    [{"code": "wrong-code"}, {"state": "another"}, {"cookies": False}, {"code": ""}],
    ids=["code", "state", "another browser", "no code"],
)
def test_a_way_back_that_nobody_began_leads_nowhere(
    home: Served, provider: Provider, change: dict[str, Any]
) -> None:
    assert come(home, provider, **change).status_code == 401
    _forgive(home)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(OTHER, "RS256"), ("s" * 32, "HS256"), (None, "none")],
    ids=["another key", "shared secret", "unsigned"],
)
def test_a_token_that_the_provider_has_not_signed_is_refused(
    home: Served, provider: Provider, key: Any, algorithm: str
) -> None:
    provider.key, provider.algorithm = key, algorithm
    try:
        assert come(home, provider).status_code == 401
    finally:
        provider.key, provider.algorithm = KEY, "RS256"
        _forgive(home)


def test_accounts_are_made_where_that_is_set(home: Served, provider: Provider) -> None:
    object.__setattr__(home.platform.settings, "oidc_accounts", "make")
    try:
        answer = come(home, provider, sub="9", email="new@example.org", name="New")
        assert "new@example.org" in answer.extensions["page"]
        row = home.write(lambda tx: accounts.find_user(tx.connection, "new@example.org"))
        assert row is not None
        assert (row.name, row.administrator, row.password) == ("New", False, None)
        assert come(home, provider, sub="10", email_verified=False).status_code == 401
    finally:
        object.__setattr__(home.platform.settings, "oidc_accounts", "known")


def test_a_platform_without_a_provider_has_no_such_way(shared: Served) -> None:
    with httpx.Client(base_url=shared.url) as browser:
        assert "/login/sso" not in browser.get("/login").text
        assert browser.get("/login/sso").status_code == 401
        assert browser.get("/login/sso/back", params={"code": "x"}).status_code == 401


def test_settings_of_a_provider_are_checked(tmp_path: Path) -> None:
    for variables in (
        {"HOLDFAST_OIDC_ISSUER": "http://id.example.org", "HOLDFAST_OIDC_CLIENT_ID": "x"},
        {"HOLDFAST_OIDC_ISSUER": "https://id.example.org"},
        {"HOLDFAST_OIDC_ACCOUNTS": "everybody"},
    ):
        with pytest.raises(UsageError):
            Settings.from_environment(variables, data=tmp_path)
