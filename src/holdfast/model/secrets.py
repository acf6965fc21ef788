"""Which values of a credential are secrets, and the forms in which they travel.

The rules are data: `engine/javascript/secretrules.json`, read here and by `secrets.mjs`, and
`tests/support/secret_vectors.json` holds both to the same results. Source of the rules:
`docs/spec/platform.md` 4.7.

| rule | meaning |
|---|---|
| `shortest` | shorter values are secret only under a key that says so: `1` would blank every log |
| `short_key_parts` | such a key contains one of these |
| `open_keys` | addresses and names: a message that says where nothing answered must be of use |
| `name_keys` | values under these keys are half of a `name:password` pair |
| `paired` | so many values of a credential are paired: pairs grow with the square |
| `inner` | characters of base64 that say enough of a secret inside a longer text |

What stands before the `@` of an address is secret under every key: `https://name:password@host`.
Keys are compared in lower case. Items of a list stand under the key of the list.
"""

from __future__ import annotations

import base64
import json
import pkgutil
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

from holdfast.model.json import Json

_RULES: dict[str, Any] = json.loads(
    pkgutil.get_data("holdfast", "engine/javascript/secretrules.json") or b""
)
MASK: str = _RULES["mask"]
_OPEN_KEYS = frozenset(_RULES["open_keys"])
_BEFORE_HOST = re.compile(r"://([^/?#\s]+)@")
_ESCAPED = re.compile("%[0-9A-F]{2}")
#: What JavaScript's encodeURIComponent and encodeURI leave as it is, beside letters and digits.
_COMPONENT, _ADDRESS = "-_.!~*'()", ";,/?:@&=+$-_.!~*'()#"


def forms(body: Json) -> set[str]:
    """All texts that would tell a secret of this credential."""
    samples = list(dict.fromkeys(_samples(body, "")))
    found = {form for sample in samples for form in _encodings(sample) if form}
    paired = samples[: _RULES["paired"]]
    pairs = [f"{a}:{b}" for a in paired for b in paired]
    pairs += [f"{name}:{sample}" for name in _names(body) for sample in samples]
    return found.union(*(_both_alphabets(_base64(pair.encode())) for pair in map(_well, pairs)))


def _samples(value: Json, key: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _samples(item, name.lower())
    elif isinstance(value, list):
        for item in value:
            yield from _samples(item, key)
    elif text := _text(value):
        yield from _before_host(text)
        if _is_secret(text, key):
            yield text


def _before_host(text: str) -> Iterator[str]:
    """Name and password of an address, and the password; a name alone is a token."""
    if (found := _BEFORE_HOST.search(text)) is None:
        return
    for part in dict.fromkeys((found[1], found[1].partition(":")[2] or found[1])):
        yield part
        if (plain := unquote(part)) != part:
            yield plain


def _is_secret(text: str, key: str) -> bool:
    long = len(text) >= _RULES["shortest"]
    return key not in _OPEN_KEYS and (long or _says_secret(key))


def _text(value: Json) -> str:
    """Texts and whole numbers may be secrets."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, str | int) else ""


def _says_secret(key: str) -> bool:
    return any(part in key for part in _RULES["short_key_parts"])


def _names(body: Json) -> Iterator[str]:
    if isinstance(body, dict):
        for key in _RULES["name_keys"]:
            if isinstance(name := body.get(key), str) and name:
                yield name


def _encodings(sample: str) -> Iterator[str]:
    """A secret as it is, and as programs write it."""
    text = _well(sample)
    data = text.encode()
    yield from (sample, text, data.hex(), data.hex().upper())
    yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    yield from _both_alphabets(_base64(data))
    for shift in range(3):
        inner = _inside(data, shift)
        if len(inner) >= _RULES["inner"]:
            yield from _both_alphabets(inner)
    yield from _in_markup(text)
    yield from _in_addresses(text)


def _well(text: str) -> str:
    """The text with a sign in place of each half of a surrogate pair, as bytes need it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _both_alphabets(text: str) -> tuple[str, str]:
    return text, text.replace("+", "-").replace("/", "_").rstrip("=")


def _inside(data: bytes, shift: int) -> str:
    """What base64 of a longer text always has of these bytes when they stand so far into it."""
    text = _base64(bytes(shift) + data).rstrip("=")
    return text[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6]


def _in_markup(text: str) -> Iterator[str]:
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    quoted = plain.replace('"', "&quot;")
    yield from (plain, quoted, quoted.replace("'", "&#39;"), quoted.replace("'", "&apos;"))


def _in_addresses(text: str) -> Iterator[str]:
    once = quote(text, safe=_COMPONENT)
    lower = _ESCAPED.sub(lambda code: code[0].lower(), once)
    for form in (once, lower, quote(text, safe="-_.~")):
        yield from (form, form.replace("%20", "+"))
    yield from (quote(text, safe=_ADDRESS), quote(once, safe=_COMPONENT))
