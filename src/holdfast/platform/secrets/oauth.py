"""Tokens of OAuth 2 that a credential holds: when they end, and what a renewed one is. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from holdfast.model.json import JsonObject

#: Characters of an id or an address.
_LONGEST = 1000
_SECONDS = re.compile(r"[0-9]{1,9}")
#: A token that ends within so many seconds is renewed: a run must get along with it.
RENEW_SECONDS = 300
#: An access token that ends sooner is of no use to a run.
_USELESS_SECONDS = 10
#: Members of a body that no run needs: whoever has it can have new tokens for ever.
_KEPT_BACK = frozenset({"refresh_token"})
#: Members of a body that are of one token; the others are the credential's own.
_OF_TOKEN = frozenset(
    {
        "access_token",
        "refresh_token",
        "id_token",
        "token_type",
        "scope",
        "expires_at",
        "expires_in",
    }
)


def dated(body: JsonObject, now: float) -> JsonObject:
    """The token with the moment when it ends, if it says how long it is good."""
    seconds = body.get("expires_in")
    if "expires_at" in body or isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return body
    rest = {name: value for name, value in body.items() if name != "expires_in"}
    return {**rest, "expires_at": int(now + seconds)}


def _end(body: JsonObject) -> float | None:
    """Unix seconds; None: it does not say."""
    end = body.get("expires_at")
    return end if isinstance(end, int | float) and not isinstance(end, bool) else None


def is_due(body: JsonObject, now: float) -> bool:
    """Whether the token is to be renewed before a run gets it."""
    end = _end(body)
    return bool(body.get("refresh_token")) and end is not None and end < now + RENEW_SECONDS


def is_useful(body: JsonObject, now: float) -> bool:
    """Whether a run can still use the token."""
    end = _end(body)
    return end is None or end > now + _USELESS_SECONDS


def renewed(body: JsonObject, answer: Mapping[str, Any], now: float) -> JsonObject:
    """The body with the provider's new token; what the answer leaves out stays."""
    rest = {
        name: value for name, value in body.items() if name not in {"expires_at", "expires_in"}
    }
    told = {name: value for name, value in answer.items() if value is not None}
    told.pop("expires_at", None)  # by the clock of a library
    seconds = told.get("expires_in")
    if isinstance(seconds, str) and _SECONDS.fullmatch(seconds):  # some write a text
        told["expires_in"] = int(seconds)
    return dated({**rest, **told}, now)


def connected(body: JsonObject, answer: Mapping[str, Any], now: float) -> JsonObject:
    """The body with a first token. Nothing of an older one stays: it may be somebody else's."""
    rest = {name: value for name, value in body.items() if name not in _OF_TOKEN}
    return renewed(rest, answer, now)


def for_run(body: JsonObject) -> JsonObject:
    """What a run gets of the token."""
    return {name: value for name, value in body.items() if name not in _KEPT_BACK}


def client_problem(values: Mapping[str, str | None]) -> str | None:
    """What is wrong with a client's id and endpoints, by their names; None: nothing."""
    for name in ("client_id", "token_endpoint", "authorization_endpoint"):
        value = values[name]
        if value is None and name == "authorization_endpoint":
            continue
        problem = _text_problem(value)
        if problem is None and name != "client_id":
            problem = endpoint_problem(value or "")
        if problem is not None:
            return f"{name} {problem}"
    return None


def _text_problem(value: str | None) -> str | None:
    if not value:
        return "is needed"
    return f"may have {_LONGEST} characters" if len(value) > _LONGEST else None


def endpoint_problem(url: str) -> str | None:
    """Why this cannot be the address of a provider; None: it can."""
    try:
        address = urlsplit(url)
        host = address.hostname or ""
        address.port  # noqa: B018 - raises ValueError for one that is none
    except ValueError:
        return "is no address"
    if address.scheme == "https" and host:
        return None
    if address.scheme == "http" and _is_loopback(host):
        return None
    return "must be an https address"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
