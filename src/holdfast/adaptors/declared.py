"""What an installed adaptor says of its operations: parameters and words, from its `ast.json`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from holdfast.model.json import Json, JsonObject, parse_document

#: Larger files are not read.
_LIMIT_BYTES = 16 << 20
#: Functions of language-common that take any number of arguments, which `ast.json` does not say.
_ANY_NUMBER = frozenset({"combine", "debug", "execute", "fields", "log"})
#: Of language-common, too: they say that they give operations, and are used as values.
_VALUES = frozenset({"dataValue", "jsonValue", "lastReferenceValue", "sourceValue"})
_SIGNATURE = re.compile(r"^export (?:declare )?function (\w+)\((.*)$", re.MULTILINE)
_FIRST_OPTIONAL = re.compile(r"\w+\?:|\)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation."""

    name: str
    kind: str
    description: str
    optional: bool
    rest: bool


@dataclass(frozen=True, slots=True)
class Declared:
    """One operation. `most`: arguments that it takes; None: any number."""

    name: str
    parameters: tuple[Parameter, ...]
    description: str
    examples: tuple[str, ...]

    @property
    def most(self) -> int | None:
        """The most arguments that make sense."""
        return None if any(item.rest for item in self.parameters) else len(self.parameters)

    @property
    def least(self) -> int:
        """1 where the operation can do nothing without its first argument, else 0."""
        first = self.parameters[:1]
        return int(bool(first) and not first[0].optional and not first[0].rest)


def declared(package: Path) -> dict[str, Declared]:
    """Operations by name; empty where the adaptor does not say."""
    found = (_operation(item) for item in _described(package))
    known = {item.name: item for item in found if item is not None}
    signed = dict(_SIGNATURE.findall(_signatures(package)))
    return {name: _signed(item, signed.get(name)) for name, item in known.items()}


def operations(package: Path) -> tuple[str, ...]:
    """Names of what gives an operation, as the adaptor says; without helpers and values."""
    found = [str(item.get("name")) for item in _described(package) if _gives(item) == "operation"]
    return tuple(name for name in dict.fromkeys(found) if name not in _VALUES)


def _gives(item: JsonObject) -> str:
    """What it returns, in small letters: authors write `Operation` and `operation`."""
    docs = item.get("docs")
    tags = _objects(docs.get("tags")) if isinstance(docs, dict) else []
    kinds = [tag.get("type") for tag in tags if tag.get("title") == "returns"]
    return str(kinds[0].get("name")).lower() if kinds and isinstance(kinds[0], dict) else ""


def _described(package: Path) -> list[JsonObject]:
    path = package / "ast.json"
    try:
        if path.stat().st_size > _LIMIT_BYTES:
            return []
        document: Json = parse_document(path.read_bytes())
    except (OSError, ValueError):
        return []
    if not isinstance(document, dict):
        return []
    return [*_objects(document.get("operations")), *_objects(document.get("common"))]


def _signatures(package: Path) -> str:
    """The declarations of an adaptor's own functions; only they tell `...rest` and `name?`."""
    for name in ("Adaptor.d.ts", "adaptor.d.ts", "index.d.ts"):
        file = package / "types" / name
        try:
            if file.stat().st_size <= _LIMIT_BYTES:
                return file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
    return ""


def _signed(item: Declared, signature: str | None) -> Declared:
    """With what is known of the arguments beside `ast.json`."""
    optional = signature is not None and _FIRST_OPTIONAL.match(signature) is not None
    rest = item.name in _ANY_NUMBER if signature is None else "..." in signature
    last = len(item.parameters) - 1
    parameters = tuple(
        replace(
            one,
            optional=one.optional or (optional and place == 0),
            rest=one.rest or (rest and place == last),
        )
        for place, one in enumerate(item.parameters)
    )
    return replace(item, parameters=parameters)


def _operation(item: JsonObject) -> Declared | None:
    name, params = item.get("name"), item.get("params")
    if not isinstance(name, str) or not isinstance(params, list):
        return None
    docs = item.get("docs")
    told = docs if isinstance(docs, dict) else {}
    tags = _objects(told.get("tags"))
    about = {str(tag.get("name")): tag for tag in tags if tag.get("title") == "param"}
    examples = [str(tag.get("description")) for tag in tags if tag.get("title") == "example"]
    parameters = tuple(_parameter(str(param), about) for param in params)
    return Declared(name, parameters, str(told.get("description") or ""), tuple(examples))


def _parameter(name: str, about: dict[str, JsonObject]) -> Parameter:
    tag = about.get(name.lstrip("."), {})
    kind = tag.get("type")
    told = kind if isinstance(kind, dict) else {}
    form = str(told.get("type") or "")
    inner = told.get("expression") if isinstance(told.get("expression"), dict) else told
    # what the adaptor does not describe may be left out, or be a list of any length
    return Parameter(
        name,
        str(inner.get("name") or "") if isinstance(inner, dict) else "",
        str(tag.get("description") or ""),
        optional=form == "OptionalType" or not tag,
        rest=form == "RestType" or name.startswith("...") or not tag,
    )


def _objects(value: Json) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
