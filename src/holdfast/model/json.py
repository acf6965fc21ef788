"""The type of any JSON value, and the proof that a text is one."""

from __future__ import annotations

import json
from typing import NoReturn, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"


def check_json(text: str) -> None:
    """Raises ValueError when a text is no JSON (RFC 8259) that can be sent as UTF-8, or is nested
    deeper than can be looked into (about a thousand). Builds next to nothing of the value."""
    try:
        _CHECKER.decode(text)
        text.encode()
    except RecursionError as error:
        message = "it is nested too deeply"
        raise ValueError(message) from error


def _refuse(constant: str) -> NoReturn:
    message = f"{constant} is no JSON"
    raise ValueError(message)


_CHECKER = json.JSONDecoder(
    object_pairs_hook=lambda _: None,
    parse_int=lambda _: 0,
    parse_float=lambda _: 0,
    parse_constant=_refuse,
)
