"""The form for a schema: one field for each of its keys, in their order. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from holdfast.model.json import Json, JsonObject
from holdfast.platform.secrets.schemas import Schema, as_text

#: Keys that name a secret also where the schema does not say so.
_SECRET = re.compile(r"pass|secret|token|private|apikey|api_key", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Field:
    """What a form shows for one key. `kind`: text, number, switch, choice or json."""

    key: str
    kind: str
    title: str
    description: str
    required: bool
    #: Shown as dots.
    secret: bool
    choices: tuple[Json, ...] = ()
    default: str = ""
    example: str = ""

    def shown(self) -> JsonObject:
        return asdict(self)


def fields_of(schema: Schema) -> list[Field]:
    """The fields of the schema; none for a schema that lists no keys."""
    listed = schema.document.get("properties")
    required = schema.document.get("required")
    needed = required if isinstance(required, list) else []
    return [
        _field(key, said, needed=key in needed)
        for key, said in (listed.items() if isinstance(listed, dict) else ())
        if isinstance(said, dict)
    ]


def _field(key: str, said: Mapping[str, Any], *, needed: bool) -> Field:
    choices, kinds = said.get("enum"), _kinds(said)
    kind = "json"
    if isinstance(choices, list):
        kind = "choice"
    elif "string" in kinds or not kinds:
        kind = "text"
    elif kinds & {"number", "integer"}:
        kind = "number"
    elif "boolean" in kinds:
        kind = "switch"
    examples = said.get("examples")
    example = said.get("placeholder") or (examples[0] if isinstance(examples, list) else "") or ""
    return Field(
        key,
        kind,
        str(said.get("title") or key),
        str(said.get("description") or ""),
        required=needed,
        secret=said.get("writeOnly") is True or bool(_SECRET.search(key)),
        choices=tuple(choices) if isinstance(choices, list) else (),
        default=as_text(said["default"]) if "default" in said else "",
        example=as_text(example) if kind != "json" else "",
    )


def _kinds(said: Mapping[str, Any]) -> set[str]:
    """The types that a key may have, `null` left out."""
    listed = said.get("type")
    found = set(listed if isinstance(listed, list) else [listed] if listed else [])
    for other in ("anyOf", "oneOf"):
        options = said.get(other)
        for option in options if isinstance(options, list) else ():
            found |= _kinds(option) if isinstance(option, dict) else set()
    return {str(kind) for kind in found} - {"null"}


def body_of(fields: list[Field], given: Mapping[str, str]) -> JsonObject:
    """The values that a form was filled with. Raises ValueError that names the field."""
    return {
        field.key: _value(field, given.get(field.key, ""))
        for field in fields
        if given.get(field.key, "") != "" or field.kind == "switch"
    }


def _value(field: Field, text: str) -> Json:
    if field.kind == "switch":
        return bool(text)
    if field.kind == "text":
        return text
    if field.kind == "choice":
        return next((value for value in field.choices if as_text(value) == text), text)
    try:
        value: Json = json.loads(text)
    except ValueError as error:
        message = f"{field.title} must be {'a number' if field.kind == 'number' else 'JSON'}"
        raise ValueError(message) from error
    return value
