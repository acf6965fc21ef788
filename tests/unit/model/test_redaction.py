"""Secrets of a webhook request are not stored: by a rule for names, and by looks."""

from __future__ import annotations

import pytest

from holdfast.model.redaction import (
    REDACTED,
    is_secret_name,
    redacted_headers,
    redacted_query,
)


@pytest.mark.parametrize(
    "name",
    ["authorization", "Proxy-Authorization", "cookie", "x-api-key", "apikey",
     "X-Hub-Signature-256", "x-auth-token", "access_token", "accessToken", "client_secret",
     "clientSecret", "X-Gitlab-Token", "x-amz-security-token", "sig", "hmac", "password",
     "pwd", "passphrase", "key", "api_key", "private-key", "sessionid", "jwt", "x-xsrf-token",
     "openhim-clientsecret"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)
    assert redacted_headers([(name.lower(), "s3cret")]) == {name.lower(): REDACTED}
    assert redacted_query([(name, "s3cret")]) == {name: REDACTED}


@pytest.mark.parametrize(
    "name",
    ["host", "content-type", "author", "authority", "monkey", "keyboard", "x-request-id", "code",
     "user-agent", "x-forwarded-for", "idempotency-key", "passenger", "page", "facility"],
)  # fmt: skip
def test_names_of_other_things_stay(name: str) -> None:
    assert redacted_query([(name, "plain")]) == {name: "plain"}


def test_values_that_are_secrets_by_their_looks_go_whatever_they_are_called() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"
    assert redacted_headers([("x-odd", f"Bearer {token}"), ("x-other", token)]) == {
        "x-odd": REDACTED,
        "x-other": REDACTED,
    }


def test_addresses_within_headers_lose_their_secrets() -> None:
    came_from = "https://jo:pw@example.org/a?page=2&access_token=abc#id_token=xyz"
    assert redacted_headers([("referer", came_from)])["referer"] == (
        f"https://{REDACTED}@example.org/a?page=2&access_token={REDACTED}#id_token={REDACTED}"
    )
