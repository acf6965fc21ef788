"""What is a secret by its name goes out of a bundle; known secrets are gone before.

Pure. The same rules are applied to what a replay asks, so that both can be compared.
"""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, quote

from holdfast.model.json import Json
from holdfast.model.redaction import is_secret_name, looks_secret, without_parameters
from holdfast.model.secrets import MASK


def masked(value: Json, *, marked: frozenset[str] = frozenset()) -> Json:
    """A value without what is secret by its name or its looks, and without the `marked` fields."""
    if isinstance(value, dict):
        return {
            key: _hidden(item, marked) if _is_secret(key, marked) else masked(item, marked=marked)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [masked(item, marked=marked) for item in value]
    return _text(value) if isinstance(value, str) else value


def _hidden(value: Json, marked: frozenset[str]) -> Json:
    """A value whose name says that it is a secret; in an object each name decides again."""
    if isinstance(value, list):
        return [_hidden(item, marked) for item in value]
    if isinstance(value, str | int | float) and value != "":
        return MASK
    return masked(value, marked=marked)


def _text(value: str) -> str:
    return MASK if looks_secret(value) else without_parameters(value, MASK)


def masked_text(text: str, *, marked: frozenset[str] = frozenset()) -> str:
    """The same for a body: JSON, a form, or any other text."""
    if text[:1] in ("{", "["):
        try:
            value = json.loads(text)
        except ValueError:
            return text
        found = masked(value, marked=marked)
        if found == value:
            return text
        return json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    if "=" in text and not text.strip().count("\n") and " " not in text:
        return _query(text, marked)
    return _text(text)


def masked_url(url: str, *, marked: frozenset[str] = frozenset()) -> str:
    """An address without secret values in its query."""
    place, mark, query = url.partition("?")
    return f"{place}?{_query(query, marked)}" if mark else url


def _query(text: str, marked: frozenset[str]) -> str:
    pairs = parse_qsl(text, keep_blank_values=True)
    if not any(_is_secret(name, marked) or looks_secret(value) for name, value in pairs):
        return text
    return "&".join(f"{quote(name)}={_parameter(name, value, marked)}" for name, value in pairs)


def _parameter(name: str, value: str, marked: frozenset[str]) -> str:
    return MASK if _is_secret(name, marked) or looks_secret(value) else quote(value)


def _is_secret(name: str, marked: frozenset[str]) -> bool:
    return name in marked or is_secret_name(name)
