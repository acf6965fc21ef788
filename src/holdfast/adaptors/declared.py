"""What an installed adaptor says of its operations: parameters and words, from its `ast.json`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from holdfast.model.json import Json, JsonObject, parse_document

#: Larger files are not read.
_LIMIT_BYTES = 16 << 20


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
    path = package / "ast.json"
    try:
        if path.stat().st_size > _LIMIT_BYTES:
            return {}
        document: Json = parse_document(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(document, dict):
        return {}
    items = [*_objects(document.get("operations")), *_objects(document.get("common"))]
    found = (_operation(item) for item in items)
    return {item.name: item for item in found if item is not None}


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
