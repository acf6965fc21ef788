"""Whether the values of a credential fit its schema. Pure.

Every problem names its key and says what is wanted; none repeats a value, for it is a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from jsonschema import FormatChecker
from jsonschema.exceptions import SchemaError as BadSchemaError
from jsonschema.exceptions import ValidationError
from jsonschema.validators import Draft7Validator, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from holdfast.model.json import JsonObject
from holdfast.platform.secrets.schemas import Schema, SchemaError, as_text

#: Problems that are told at once.
_MOST = 50
_TYPES = {
    "string": "text", "number": "a number", "integer": "a whole number",
    "boolean": "true or false", "object": "an object", "array": "a list", "null": "null",
}  # fmt: skip
_FORMAT_NAMES = {"uri": "an address such as https://example.org", "email": "an e-mail address"}
_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("uri")
def _is_uri(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        found = urlsplit(value)
    except ValueError:  # brackets without an address
        return False
    return bool(found.scheme and (found.netloc or found.path)) and not re.search(r"\s", value)


@_FORMATS.checks("email")
def _is_email(value: object) -> bool:
    return not isinstance(value, str) or bool(re.fullmatch(r"[^@\s]+@[^@\s]+", value))


def problems(schema: Schema, body: JsonObject) -> dict[str, list[str]]:
    """What is wrong with each key, by its path such as `body.tls.cert`; empty: all is right.

    Empty texts count as missing: runs do not get them. Raises SchemaError when the schema itself
    cannot be used.
    """
    given = {key: value for key, value in body.items() if value != ""}
    found: dict[str, list[str]] = {}
    try:
        kind = validator_for(schema.document, default=Draft7Validator)
        kind.check_schema(schema.document)
        # An empty registry: a schema that points elsewhere must not make us fetch it.
        validator = kind(schema.document, registry=Registry(), format_checker=_FORMATS)
        for error in islice(validator.iter_errors(given), _MOST):
            for path, text in _told(error):
                found.setdefault(".".join(("body", *path)), []).append(text)
    except (BadSchemaError, Unresolvable, re.error, RecursionError) as error:
        message = f"the schema {schema.name!r} cannot be used: {type(error).__name__}"
        raise SchemaError(message) from error
    return {path: sorted(set(texts)) for path, texts in sorted(found.items())}


def _told(error: ValidationError) -> Iterator[tuple[tuple[str, ...], str]]:
    """Places and texts of one error of the library."""
    path = tuple(str(part) for part in error.absolute_path)
    word = str(error.validator)
    given: Any = error.instance
    wanted: Any = error.validator_value
    if word == "required":
        yield from (((*path, key), "is required") for key in wanted if key not in given)
    elif word == "additionalProperties" and isinstance(given, dict):
        known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
        for key in sorted(set(given) - set(known)):
            yield (*path, key), f"is not known; known are {', '.join(known) or 'none'}"
    elif word in {"anyOf", "oneOf"} and error.context:
        yield from _one_of(path, error.context)
    elif (words := _WORDS.get(word)) is not None:
        yield path, words(wanted)
    else:
        yield path, f"breaks the rule {word!r} of the schema"


def _one_of(
    path: tuple[str, ...], context: list[ValidationError]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Of several ways to be right: all types that would do, or what is missing for the nearest."""
    if all(error.validator == "type" and not error.path for error in context):
        kinds = dict.fromkeys(_kinds(error.validator_value) for error in context)
        yield path, f"must be {' or '.join(kinds)}"
    else:
        nearest = [error for error in context if error.validator != "type" or error.path]
        yield from _told((nearest or context)[0])


def _kinds(wanted: Any) -> str:
    listed = wanted if isinstance(wanted, list) else [wanted]
    return " or ".join(_TYPES.get(str(kind), str(kind)) for kind in listed)


_WORDS: dict[str, Callable[[Any], str]] = {
    "type": lambda wanted: f"must be {_kinds(wanted)}",
    "enum": lambda wanted: f"must be one of {', '.join(map(as_text, wanted))}",
    "const": lambda wanted: f"must be {as_text(wanted)}",
    "format": lambda wanted: f"must be written as {_FORMAT_NAMES.get(wanted, wanted)}",
    "pattern": lambda wanted: f"must be written like {wanted}",
    "minLength": lambda wanted: f"must have at least {wanted} characters",
    "maxLength": lambda wanted: f"may have at most {wanted} characters",
    "minimum": lambda wanted: f"must be {wanted} or more",
    "maximum": lambda wanted: f"must be {wanted} or less",
    "minItems": lambda wanted: f"must have at least {wanted} entries",
    "maxItems": lambda wanted: f"may have at most {wanted} entries",
}
