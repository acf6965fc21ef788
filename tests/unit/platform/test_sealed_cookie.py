"""What a browser keeps while a person is with a provider, and where they come back to."""

from __future__ import annotations

import time
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from holdfast.platform.access.keys import Keys, load_keys
from holdfast.platform.settings import Settings
from holdfast.platform.web.sealed_cookie import SealedCookie, address_of

COOKIE = SealedCookie("here", "/")
PUBLIC = "https://flows.example.org"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return load_keys(tmp_path_factory.mktemp("data"), {})


@pytest.fixture
def platform(tmp_path: Path, keys: Keys) -> Any:
    return SimpleNamespace(settings=Settings(data=tmp_path), keys=keys)


def request(platform: Any, cookies: str = "") -> Request:
    app = SimpleNamespace(state=SimpleNamespace(platform=platform))
    headers = [(b"host", b"127.0.0.1:4000"), (b"cookie", cookies.encode())]
    return Request({"type": "http", "method": "GET", "scheme": "http", "path": "/", "app": app,
                    "headers": headers, "server": ("127.0.0.1", 4000)})  # fmt: skip


def put(platform: Any, cookie: SealedCookie = COOKIE, **values: str) -> Any:
    """The cookie as it is sent to the browser."""
    answer = Response()
    cookie.put(request(platform), answer, values)
    return SimpleCookie(answer.headers["set-cookie"])[cookie.name]


def test_people_come_back_to_the_public_address(platform: Any) -> None:
    assert address_of(request(platform), "/back") == "http://127.0.0.1:4000/back"
    platform.settings = replace(platform.settings, public_url=f"{PUBLIC}/")
    assert address_of(request(platform), "/back") == f"{PUBLIC}/back"


def test_what_was_kept_is_read_again_and_nobody_else_can_read_it(platform: Any) -> None:
    sent = put(platform, project="é" * 255, verifier="a-secret")
    kept = COOKIE.read(request(platform, f"here={sent.value}"))
    assert kept is not None
    assert (kept["project"], kept["verifier"]) == ("é" * 255, "a-secret")
    assert (sent["httponly"], sent["samesite"], sent["secure"]) == (True, "lax", "")
    platform.settings = replace(platform.settings, public_url=PUBLIC)
    assert put(platform)["secure"]


@pytest.mark.parametrize("text", ["", "here=", "here=x", "here=AAAA", "here=%00"])
def test_what_nobody_kept_is_nothing(platform: Any, text: str) -> None:
    assert COOKIE.read(request(platform, text)) is None


def test_a_cookie_is_good_for_one_purpose_and_ten_minutes(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = put(platform, SealedCookie("there", "/"), state="x")
    assert COOKIE.read(request(platform, f"here={other.value}")) is None
    sent = put(platform, state="x")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 590)
    assert COOKIE.read(request(platform, f"here={sent.value}")) is not None
    monkeypatch.setattr(time, "time", lambda: now + 610)
    assert COOKIE.read(request(platform, f"here={sent.value}")) is None
