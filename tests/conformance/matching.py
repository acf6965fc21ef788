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


def same_ending(expected: dict[str, Any], actual: dict[str, Any]) -> bool:
    """An error that ended a run. Where the shim found the end, or V8 judged the syntax, our words
    go on after those of the reference or are V8's (rules of deviations.json)."""
    message = expected.get("message")
    kind = expected.get("type")
    if kind in FURTHER_WORDS and isinstance(message, str):
        began = str(actual.get("message", "")).startswith(message)
        return began and includes({**expected, "message": ANY}, actual)
    if kind in QUOTING and isinstance(message, str):
        said = {line.partition(": ")[0] for line in str(actual.get("message")).splitlines()}
        wanted = {line.partition(": ")[0] for line in message.splitlines()}
        return said == wanted and includes({**expected, "message": ANY}, actual)
    if kind == "CompileError" and isinstance(message, str):
        step = message.partition(": ")[0]
        shown = re.fullmatch(re.escape(step) + r": .+ \(\d+:\d+\)", str(actual.get("message", "")))
        return shown is not None and includes({**expected, "message": ANY}, actual)
    return includes(expected, actual)


#: Endings whose message goes on to say where the run was and what its author can do.
FURTHER_WORDS = {"TimeoutError", "OOMError"}


#: Endings that quote what npm or the platform said, in words of our own.
QUOTING = {"AutoinstallError", "CredentialLoadError"}


def same_engine_event(expected: dict[str, Any], actual: dict[str, Any]) -> bool:
    """One event of the engine, exactly."""
    if expected["event"] == "workflow-error" and actual["event"] == "workflow-error":
        return same_ending(expected, actual) and expected.keys() == actual.keys()
    if expected["event"] == "autoinstall-error":
        expected = {**expected, "message": ANY}
    return same(expected, actual)
