"""Keychains: which credential fits a run's input (`docs/spec/platform.md` 1.1). Pure."""

from __future__ import annotations

from itertools import islice

from jsonpath import JSONPathEnvironment, JSONPathError

from holdfast.model.json import Json

_LONGEST_PATH = 500
_paths = JSONPathEnvironment(strict=True)  # RFC 9535 and nothing more
# Regular expressions of a path would run over documents that anybody may send.
for _name in ("match", "search"):
    _paths.function_extensions.pop(_name, None)


def path_problem(path: str) -> str | None:
    """What is wrong with a JSONPath; None: nothing."""
    if len(path) > _LONGEST_PATH:
        return f"path may have {_LONGEST_PATH} characters"
    try:
        _paths.compile(path)
    except (JSONPathError, RecursionError) as error:
        return f"path is no JSONPath: {str(error.args[0])[:200]}"
    return None


def value_at(path: str, document: Json) -> str | None:
    """The first text or number at the path, as text; None when there is none."""
    if not isinstance(document, dict | list):
        return None
    try:
        found = [match.obj for match in islice(_paths.finditer(path, document), 1)]
    except (JSONPathError, RecursionError):
        return None
    return _text(found[0]) if found else None


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if number else None
