"""How an outcome is compared with what a case of `runtime-cases.json` expects.

The rules are in the `meta` block of that file: states exactly, error fields as a subset, lists of
events and log lines exactly and in order, `<any>` matches anything, absence included.
"""

from __future__ import annotations

import re
from typing import Any

ANY = "<any>"
PLACEHOLDERS = {"<ms>": (int, float), "<bytes>": (int, float), "<thread>": (int, str)}
DURATION = re.compile(r"\b(\d+m \d+s|\d+(\.\d+)?m?s)\b")
SIZE = re.compile(r"\b\d+(\.\d+)?mb\b")
_ABSENT = object()


def same(expected: Any, actual: Any) -> bool:
    """Exact equality of JSON values, placeholders aside. `True` is not `1`."""
    if expected == ANY:
        return True
    if isinstance(expected, str) and expected in PLACEHOLDERS:
        return isinstance(actual, PLACEHOLDERS[expected]) and not isinstance(actual, bool)
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return False
        wanted = {key for key, item in expected.items() if item != ANY}
        if not wanted <= actual.keys() <= expected.keys():
            return False
        return all(same(item, actual.get(key)) for key, item in expected.items())
    if isinstance(expected, list):
        return (
            isinstance(actual, list)
            and len(expected) == len(actual)
            and all(map(same, expected, actual))
        )
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    return bool(expected == actual)


def includes(expected: dict[str, Any], actual: dict[str, Any]) -> bool:
    """Whether every field that is listed matches."""
    return all(
        item == ANY or same(item, actual.get(key, _ABSENT)) for key, item in expected.items()
    )


def masked(line: dict[str, Any]) -> dict[str, Any]:
    """A log line with durations and sizes masked."""
    message = [
        SIZE.sub("<mb>", DURATION.sub("<time>", item)) if isinstance(item, str) else item
        for item in line["message"]
    ]
    return {"level": line["level"], "message": message}


def same_event(expected: dict[str, Any], actual: dict[str, Any]) -> bool:
    """One event of the runtime: listed fields; state and next also by their absence."""
    wanted = {key: item for key, item in expected.items() if key not in {"keys", "memKeys"}}
    error = wanted.pop("error", None)
    shown = {key: actual[key] for key in ("event", "jobId", "next", "state") if key in actual}
    if not same(wanted, shown):
        return False
    if error is not None and not includes(error, actual.get("error", {})):
        return False
    payload = sorted(key for key in actual if key != "event")
    if "keys" in expected and sorted(expected["keys"]) != payload:
        return False
    return "memKeys" not in expected or sorted(expected["memKeys"]) == sorted(actual["mem"])
