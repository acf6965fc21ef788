"""Secrets in every form they travel in (`docs/spec/platform.md` 4.7)."""

from __future__ import annotations

import base64

import pytest

from holdfast.model.json import Json
from holdfast.model.scrubber import Scrubber


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("body", "text", "clean"),
    [
        ({"password": "hunter22"}, "it is hunter22!", "it is ***!"),
        ({"a": {"b": ["deep-secret"]}}, "deep-secret", "***"),
        ({"password": "hunter22"}, b64("hunter22"), "***"),
        ({"username": "ann", "password": "hunter22"}, b64("ann:hunter22"), "***"),
        ({"email": "a@b.c", "token": "hunter22"}, f"Basic {b64('a@b.c:hunter22')}", "Basic ***"),
        ({"password": "a b/c&d"}, "?p=a%20b%2Fc%26d", "?p=***"),
        ({"password": "a b/c&d"}, "?p=a+b%2Fc%26d", "?p=***"),
        ({"password": 'say "hi"'}, '{"p":"say \\"hi\\""}', '{"p":"***"}'),
        ({"pin": 12345}, "the pin is 12345", "the pin is ***"),
        ({"token": "abc"}, "abc", "***"),
        ({"a": "long-secret", "b": "long-secret-more"}, "long-secret-more", "***"),
    ],
)
def test_secrets_are_masked(body: Json, text: str, clean: str) -> None:
    assert Scrubber([body]).clean(text) == clean


@pytest.mark.parametrize(
    "body",
    [
        {"username": "hello"},
        {"baseUrl": "hello", "HOST": "hello", "email": "hello"},
        {"flag": True, "other": False, "nothing": None},
        {"empty": "", "password": ""},
        {"page": "he"},
        {},
        None,
    ],
)
def test_what_is_no_secret_stays(body: Json) -> None:
    assert Scrubber([body]).clean("hello True None he") == "hello True None he"


def test_credentials_can_be_added_later() -> None:
    scrubber = Scrubber()
    assert scrubber.clean("s3cret-one") == "s3cret-one"
    scrubber.add({"token": "s3cret-one"})
    scrubber.add({"token": "s3cret-two"})
    assert scrubber.clean("s3cret-one s3cret-two") == "*** ***"


def test_characters_of_patterns_are_plain_text() -> None:
    assert Scrubber([{"password": "a.*(b"}]).clean("a.*(b axxb") == "*** axxb"
