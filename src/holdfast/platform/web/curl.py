"""How a terminal starts a workflow by its webhook: lines with `curl`, for each way that is open.

Capital words stand for the secret, which nobody can read on a page. Pure.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from holdfast.platform.access.webhook_keys import (
    API_KEY,
    BASIC,
    KEY_HEADER,
    SIGNATURE_HEADER,
    TIME_HEADER,
)

_BODY, _QUERY = "'{\"n\": 1}'", "n=1"


@dataclass(frozen=True, slots=True)
class Key:
    """One of the webhook keys that a trigger takes. `timed`: signatures have a time."""

    name: str
    kind: str
    timed: bool = False


def curl_lines(address: str, methods: Iterable[str], keys: Iterable[Key]) -> Iterator[str]:
    """A line for each method with each key; without keys one for each method."""
    ways: list[Key | None] = [*keys] or [None]
    for method in methods:
        for key in ways:
            yield _line(address, method, key)


def _line(address: str, method: str, key: Key | None) -> str:
    get = method == "GET"
    signed = _QUERY if get else _BODY
    first, shown = ("", "") if key is None else _shown(key, signed)
    if get:
        return f"{first}curl {shlex.quote(f'{address}?{_QUERY}')}{shown}"
    sent = f"-H 'content-type: application/json'{shown} -d {_BODY}"
    return f"{first}curl -X POST {shlex.quote(address)} {sent}"


def _shown(key: Key, signed: str) -> tuple[str, str]:
    """What stands before the command, and the options that show the key."""
    if key.kind == API_KEY:
        return "", f" -H '{KEY_HEADER}: SECRET-OF-{key.name}'"
    if key.kind == BASIC:
        return "", f" -u 'USER:PASSWORD-OF-{key.name}'"
    first, time, stamp = "", "", ""
    if key.timed:
        first, time, stamp = "now=$(date +%s); ", f' -H "{TIME_HEADER}: $now"', '"$now."'
    made = f"printf %s {stamp}{signed} | openssl dgst -sha256 -hmac 'SECRET-OF-{key.name}' -r"
    return first, f"{time} -H \"{SIGNATURE_HEADER}: sha256=$({made} | cut -d' ' -f1)\""
