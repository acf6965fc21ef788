"""`webhook_access` of a trigger and `webhook_keys` of a project: who may use a webhook, and how.

Secrets never stand in documents: a key is declared by name and type, and gets its secret over
`PUT /api/projects/:id/webhook_keys/:name`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from holdfast.model.json import Json, JsonObject

METHODS = ("POST", "GET")
KEY_TYPES = ("api_key", "basic", "hmac")
KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,99}")
_MEMBERS = ("keys", "methods", "origins")
_ORIGIN = re.compile(
    r"\*|https?://[A-Za-z0-9.-]+(:\d{1,5})?|https?://\[[0-9A-Fa-f:.]+\](:\d{1,5})?"
)


def access_problems(value: Json) -> Iterator[str]:
    """What is wrong with a `webhook_access`; null is none."""
    if value is None:
        return
    if not isinstance(value, dict):
        yield "webhook_access must be a map"
        return
    for name in sorted(set(value) - set(_MEMBERS)):
        yield f"webhook_access: {name!r} is not known; it has {', '.join(_MEMBERS)}"
    for name in _MEMBERS:
        items = value.get(name, [])
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            yield f"webhook_access: {name} must be a list of texts"
        else:
            yield from _CHECKS[name](items)


def _keys(items: list[Json]) -> Iterator[str]:
    for item in items:
        if not KEY_NAME.fullmatch(str(item)):
            yield f"webhook_access: {item!r} is no name of a key"


def _methods(items: list[Json]) -> Iterator[str]:
    if not items:
        return
    for item in items:
        if item not in METHODS:
            yield f"webhook_access: the method {item!r} must be one of {', '.join(METHODS)}"


def _origins(items: list[Json]) -> Iterator[str]:
    for item in items:
        if not _ORIGIN.fullmatch(str(item)):
            yield f"webhook_access: {item!r} is no origin; write it like https://example.org, or *"


_CHECKS = {"keys": _keys, "methods": _methods, "origins": _origins}


def tidy(value: JsonObject | None) -> JsonObject | None:
    """The same without members that say nothing; None if nothing is left."""
    return {name: items for name, items in (value or {}).items() if items} or None


def key_problems(keys: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the keys that a project declares: name -> type."""
    for name, kind in keys.items():
        if not KEY_NAME.fullmatch(name):
            yield f"webhook_keys: {name!r} is no name of a key: letters, digits, spaces, _ . -"
        if kind not in KEY_TYPES:
            yield f"webhook_keys: the type of {name} must be one of {', '.join(KEY_TYPES)}"


def keys_named(value: JsonObject | None) -> Iterable[str]:
    """The keys that a trigger names."""
    items = (value or {}).get("keys")
    return [str(item) for item in items] if isinstance(items, list) else []
