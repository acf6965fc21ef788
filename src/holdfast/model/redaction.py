"""Secrets that come with a webhook request are not stored with it. Pure.

A rule by name, not a list of headers: whatever is called a token, a key, a password or the like.
Names come in words (`x-api-key`, `accessToken`). Values that are secrets by their looks go, too,
and so do the parameters of addresses inside of headers (`Referer`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

REDACTED = "[REDACTED]"
#: Words that make a name a secret's.
_WORDS = frozenset({
    "apikey", "assertion", "auth", "authentication", "authorization", "bearer", "cookie",
    "cookies", "credential", "credentials", "hmac", "jwt", "key", "keys", "otp", "pass",
    "passphrase", "passwd", "password", "passwords", "pat", "pin", "pwd", "secret", "secrets",
    "session", "sessionid", "sid", "sig", "signature", "token", "tokens",
})  # fmt: skip
#: They do so also within a longer word.
_PARTS = re.compile(
    r"apikey|accesskey|authori[sz]|authentic|cookie|credential|passw|privatekey|secret|sessionid"
    r"|signature|token"
)
_HARMLESS = frozenset({"idempotency-key", "sec-websocket-key"})
_BORDERS = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
#: Values that say themselves what they are: a scheme with credentials, or a signed token.
_LOOKS = re.compile(r"(?i:bearer|basic|digest|token|apikey|hmac)\s+\S|eyJ[\w-]{8,}\.eyJ[\w-]+\.")
_PARAMETER = re.compile(r"([?&;#])([^=&?#;\s]+)=([^&#;\s\"',]+)")
_PASSWORD_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]*(?=@)")


@lru_cache(1024)
def is_secret_name(name: str) -> bool:
    """Whether something of this name is a secret, as far as names go."""
    if name.lower() in _HARMLESS:
        return False
    words = [word.lower() for word in _BORDERS.split(name) if word]
    return not _WORDS.isdisjoint(words) or _PARTS.search("".join(words)) is not None


def looks_secret(value: str) -> bool:
    """Whether a value says itself that it is a secret: a scheme with credentials, a token."""
    return _LOOKS.search(value) is not None


def redacted_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers as they are stored."""
    return {name: _shown(name, value) for name, value in headers}


def redacted_query(parameters: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Query parameters as they are stored."""
    return {name: _shown(name, value) for name, value in parameters}


def _shown(name: str, value: str) -> str:
    if is_secret_name(name) or _LOOKS.search(value):
        return REDACTED
    return without_parameters(value, REDACTED)


def without_parameters(text: str, mask: str) -> str:
    """A text whose addresses have neither secret parameters nor passwords."""

    def shown(found: re.Match[str]) -> str:
        secret = is_secret_name(unquote(found[2]))
        return f"{found[1]}{found[2]}={mask}" if secret else found[0]

    if "=" in text:
        text = _PARAMETER.sub(shown, text)
    return _PASSWORD_IN_ADDRESS.sub(mask, text) if "://" in text else text
