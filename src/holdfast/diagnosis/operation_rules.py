"""Causes inside of an adaptor's operation: it was given something that it cannot use."""

from __future__ import annotations

import re

from holdfast.diagnosis.ending import Ending, Found, shortened
from holdfast.diagnosis.entry import Turn
from holdfast.diagnosis.paths import meant, walked
from holdfast.diagnosis.state_rules import missing

_READING = re.compile(r"Cannot read properties of (undefined|null) \(reading '([^']+)'\)")
_NO_FUNCTION = re.compile(r"(?:TypeError: )?(\S+) is not a function\b")
_INSTEAD = re.compile(r"Use [`'\"]([^`'\"]+)[`'\"] instead of [`'\"]([^`'\"]+)[`'\"]")
#: Parts of the state that an operation is given: `$.data.items`, also as a text.
_GIVEN = re.compile(r"\$(?:\??\.[A-Za-z_$][\w$]*)+")
#: What undici says of an answer whose connection ended before it did.
_BROKE_OFF = ("other side closed", "terminated", "aborted")
_OF_LISTS = ("reduce", "map", "forEach", "filter", "flatMap", "length", "slice")


def arguments(end: Ending) -> Found | None:
    """An operation that failed in the adaptor's own code, on what the author gave it."""
    name, code = end.facts.get("name"), end.facts.get("code")
    if not isinstance(name, str) or not isinstance(code, str):
        return None
    for rule in (_nothing_returned, _not_callable, _address, _answer):
        if (found := rule(end, name, code)) is not None:
            return found
    return None


def _foreign(word: str, code: str) -> bool:
    """Whether the author's own code does not have this word: then it is the adaptor's."""
    return re.search(rf"(?<![\w$]){re.escape(word)}(?![\w$])", code) is None


def _nothing_returned(end: Ending, name: str, code: str) -> Found | None:
    found = _READING.search(end.message)
    if found is None or not _foreign(found[2], code):
        return None
    if found[2] == "then":
        return Found("HF1126", {"name": name})
    for path in _GIVEN.findall(code):
        steps = meant(path, code)
        if steps is not None and walked(steps, end.facts.get("state")).missing is not None:
            return missing(end, path, "undefined", found[2], "read")
    return None


def _not_callable(end: Ending, name: str, code: str) -> Found | None:
    found = _NO_FUNCTION.search(end.message)
    if found is None:
        return None
    owner, _, method = found[1].rpartition(".")
    if not _foreign(method, code):
        return None
    values = {"name": name, "adaptor": end.adaptor_names.partition(",")[0]}
    if owner and method in _OF_LISTS:
        wanted, advice = "a list", f"Give {name} a list."
        for path in _GIVEN.findall(code):
            steps = meant(path, code)
            if steps is None:
                continue
            walk = walked(steps, end.facts.get("state"))
            advice = f"{walk.path} is {walk.kind}: give {name} a list, or Object.values of it."
    else:
        wanted = "a function or an operation"
        example = "fn(state => state)" if name == "fn" else f"{name}(…, fn(state => state))"
        advice = f"Write a function or an operation there: `{example}`."
    return Found("HF1127", {**values, "wanted": wanted, "advice": advice})


def _address(end: Ending, name: str, code: str) -> Found | None:
    if "UNEXPECTED_RELATIVE_URL" not in end.message:
        return None
    if re.search(rf"\b{re.escape(name)}\(\s*state\s*,", code):
        adaptor = end.adaptor_names.partition(",")[0]
        advice = f"Leave state out: `{name}('/path')`. An operation gets the state by itself."
        values = {"name": name, "adaptor": adaptor, "wanted": "an address first", "advice": advice}
        return Found("HF1127", values)
    said = f"{name} got a path without a host, and the credential has no baseUrl"
    return Found("HF1307", {"said": said})


def _answer(end: Ending, name: str, _code: str) -> Found | None:
    if "Error parsing the response body" not in end.message:
        return None
    if any(cause.get("error") in _BROKE_OFF for cause in end.causes):
        values = {"target": "the other system", "said": f"the answer that {name} got is not whole"}
        return Found("HF1305", values)
    advice = f"To look at it: `{name}(…, {{ parseAs: 'text' }})`."
    return Found("HF1112", {"said": f"the answer that {name} got", "advice": advice}, Turn.SYSTEM)


def words_of_a_library(end: Ending) -> Found | None:
    """Errors that say themselves what to write instead."""
    if found := _INSTEAD.search(end.message):
        values = {"said": shortened(end.said, 200), "advice": f"Write {found[1]} for {found[2]}."}
        return Found("HF1114", values, Turn.AUTHOR)
    if "Reduce of empty array" in end.message:
        advice = "Give reduce a first value: `list.reduce((sum, item) => sum + item, 0)`."
        return Found(
            "HF1114", {"said": "an empty list has nothing to begin with", "advice": advice}
        )
    return None
