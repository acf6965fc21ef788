"""Keychains: which credential fits a run's input (`docs/spec/platform.md` 1.1). Pure."""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from holdfast.model.json import Json

if TYPE_CHECKING:
    from jsonpath import JSONPathEnvironment

_LONGEST_PATH = 500


@cache
def _paths() -> JSONPathEnvironment:
    """RFC 9535 and nothing more. The library is loaded with the first keychain."""
    from jsonpath import JSONPathEnvironment  # noqa: PLC0415

    found = JSONPathEnvironment(strict=True)
    # Regular expressions of a path would run over documents that anybody may send.
    for name in ("match", "search"):
        found.function_extensions.pop(name, None)
    return found


def path_problem(path: str) -> str | None:
    """What is wrong with a JSONPath; None: nothing."""
    from jsonpath import JSONPathError  # noqa: PLC0415

    if len(path) > _LONGEST_PATH:
        return f"path may have {_LONGEST_PATH} characters"
    try:
        _paths().compile(path)
    except (JSONPathError, RecursionError) as error:
        return f"path is no JSONPath: {str(error.args[0])[:200]}"
    return None


def value_at(path: str, document: Json) -> str | None:
    """The first text or number at the path, as text; None when there is none."""
    from jsonpath import JSONPathError  # noqa: PLC0415

    if not isinstance(document, dict | list):
        return None
    try:
        found = [match.obj for match in islice(_paths().finditer(path, document), 1)]
    except (JSONPathError, RecursionError):
        return None
    return _text(found[0]) if found else None


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if number else None
