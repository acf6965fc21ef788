"""Where we differ from the reference by rule, in every case, and what must hold instead.

Single cases with a reason of their own stand in `deviations.json`. The rules are those of
`docs/runtime.md` ("Conformance") and of `docs/compatibility.md`.
"""

from __future__ import annotations

import re
from typing import Any

from conformance.matching import ANY, includes, same

#: Endings whose message goes on to say where the run was and what its author can do.
FURTHER_WORDS = {"TimeoutError", "OOMError"}
#: Endings that quote what npm or the platform said, in words of our own.
QUOTING = {"AutoinstallError", "CredentialLoadError"}
#: Names of the web that job code sees here and not there (docs/compatibility.md 5).
WEB_NAMES = {
    "URL", "URLSearchParams", "TextEncoder", "TextDecoder", "atob", "btoa", "structuredClone",
    "AbortController", "Blob", "Event", "fetch",
}  # fmt: skip
#: Keys of what stands for an error, and for a Map or Set.
_ERROR, _COLLECTION = {"name", "message", "cause", "errors"}, {"[Map]", "[Set]"}
#: Notes to the author that the reference does not write (docs/compatibility.md 7, 10).
_OUR_NOTES = re.compile(
    r"HF\d{4}  |WARNING: (step .* returned something that is no object|state contains BigInt"
    r"|operation \d+ returned .*, which counts as no state|the step returned a value that JSON)"
)
_UNDEFINED = re.compile(r"ReferenceError: (\w+) is not defined")


def same_ending(expected: dict[str, Any], actual: dict[str, Any]) -> bool:
    """An error that ended a run.

    Where the shim found the end our words go on; npm, the platform and V8 have words of their
    own; what can never continue ends at once as DeadlockError instead of by its timeout.
    """
    message, said = expected.get("message"), str(actual.get("message", ""))
    kind = expected.get("type")
    if not isinstance(message, str):
        return includes(expected, actual)
    if kind == "TimeoutError" and actual.get("type") == "DeadlockError":
        return message.startswith("Workflow failed") and actual.get("severity") == "crash"
    if kind in FURTHER_WORDS:
        holds = said.startswith(message)
    elif kind in QUOTING:
        holds = _subjects(said) == _subjects(message)
    elif kind == "CompileError":
        step = message.partition(": ")[0]
        holds = re.fullmatch(re.escape(step) + r": .+ \(\d+:\d+\)", said) is not None
    else:
        return includes(expected, actual)
    return holds and includes({**expected, "message": ANY}, actual)


def _subjects(message: str) -> set[str]:
    return {line.partition(": ")[0] for line in message.splitlines()}


def same_engine_event(expected: dict[str, Any], actual: dict[str, Any]) -> bool:
    """One event of the engine, exactly but for the words of its end."""
    if expected["event"] == "workflow-error" and actual["event"] == "workflow-error":
        return same_ending(expected, actual) and expected.keys() == actual.keys()
    if expected["event"] == "autoinstall-error":
        expected = {**expected, "message": ANY}
    return same(expected, actual)


def same_lines(expected: Any, actual: Any) -> bool:
    """Log lines, exactly; what the reference shows as nothing may say something.

    Reason: `docs/compatibility.md` 4.
    """
    if same(expected, actual):
        return True
    return (
        isinstance(expected, list)
        and isinstance(actual, list)
        and len(expected) == len(actual)
        and all(map(_same_line, expected, actual))
    )


def _same_line(expected: dict[str, Any], actual: dict[str, Any]) -> bool:
    if expected["level"] != actual["level"]:
        return False
    wanted, items = expected["message"], actual["message"]
    if isinstance(wanted, str):  # the whole line could not be serialised there
        return wanted.startswith("[unable to serialize")
    return len(wanted) == len(items) and all(map(_same_item, wanted, items))


def _same_item(expected: Any, actual: Any) -> bool:
    if expected is None:
        return isinstance(actual, str) or actual is None
    if expected == {}:
        return isinstance(actual, str) or (
            isinstance(actual, dict) and (actual.keys() <= _ERROR or actual.keys() <= _COLLECTION)
        )
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(_same_item, expected, actual))
    if isinstance(expected, dict) and isinstance(actual, dict):
        further = actual.keys() - expected.keys()
        if further and not (expected.keys() <= _ERROR and further <= _ERROR):
            return False
        return all(key in actual and _same_item(expected[key], actual[key]) for key in expected)
    return same(expected, actual)


def without_our_notes(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if not _is_our_note(line)]


def _is_our_note(line: dict[str, Any]) -> bool:
    text = line["message"][0] if line["message"] else None
    return isinstance(text, str) and bool(_OUR_NOTES.match(text))


def sees_a_web_name(expected: dict[str, Any]) -> bool:
    """Whether a case ends because a name is missing that job code has here."""
    found = _UNDEFINED.fullmatch(str(expected.get("error", {}).get("message", "")))
    return found is not None and found[1] in WEB_NAMES
