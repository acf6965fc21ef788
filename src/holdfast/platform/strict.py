"""JSON as others understand it: Python's reader also takes NaN and Infinity, which are none."""

from __future__ import annotations

import json

from holdfast.model.json import Json


def loads(text: str | bytes) -> Json:
    """The value of a JSON text. Raises ValueError, also for what nests too deeply."""
    try:
        value: Json = json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        message = "nested too deeply"
        raise ValueError(message) from error
    return value


def _refuse(name: str) -> None:
    message = f"{name} is not JSON"
    raise ValueError(message)
