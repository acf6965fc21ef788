"""Secrets of credentials never reach the log (`docs/spec/platform.md` 4.7).

Every value of a credential is a sample, except under keys that hold no secrets; so are the
forms in which it travels: base64, with its neighbours as `a:b` in base64, URL-encoded, escaped
in JSON. Each occurrence becomes `***`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from holdfast.model.json import Json

MASK = "***"
#: Values under these keys are addresses and names, not secrets.
OPEN_KEYS = frozenset(
    {
        "account",
        "apipath",
        "apiurl",
        "apiversion",
        "baseurl",
        "database",
        "domain",
        "email",
        "host",
        "hosturl",
        "instanceurl",
        "loginurl",
        "port",
        "server",
        "url",
        "user",
        "username",
    }
)
_SECRET_KEY = re.compile(r"secret|passw|token|key|pin", re.IGNORECASE)
#: Shorter values are kept unless their key says secret: `1` would mask every number.
_SHORT = 4
#: Values per credential that are looked for (`MAX_CREDENTIAL_SENSITIVE_VALUES`).
_MOST = 50


class Scrubber:
    """Replaces the secrets of one run's credentials. Rebuilt when a credential is fetched."""

    def __init__(self, bodies: Iterable[Json] = ()) -> None:
        self._samples: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for body in bodies:
            self.add(body)

    def add(self, body: Json) -> None:
        values = list(_secrets(body))[:_MOST]
        words = set(values) | set(_names(body))
        forms = set(values)
        forms |= {_base64(value) for value in values}
        forms |= {_base64(f"{a}:{b}") for a in words for b in values if a != b}
        for value in values:
            forms |= {quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1]}
            forms.add(json.dumps(value, ensure_ascii=False)[1:-1])
        self._samples |= forms
        longest_first = sorted(self._samples, key=len, reverse=True)
        self._pattern = (
            re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        )

    def clean(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text


def _secrets(body: Json, key: str = "") -> Iterator[str]:
    if isinstance(body, dict):
        for name, value in body.items():
            yield from _secrets(value, name)
    elif isinstance(body, list):
        for value in body:
            yield from _secrets(value, key)
    elif body is not None and not isinstance(body, bool) and key.lower() not in OPEN_KEYS:
        text = str(body)
        if len(text) >= _SHORT or (text and _SECRET_KEY.search(key)):
            yield text


def _names(body: Json) -> Iterator[str]:
    """User names and addresses: half of a basic-authentication pair."""
    if isinstance(body, dict):
        for key in ("username", "email", "user"):
            if isinstance(name := body.get(key), str) and name:
                yield name


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
