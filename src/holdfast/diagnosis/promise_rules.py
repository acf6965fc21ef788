"""Causes in promises whose value is used before it is there."""

from __future__ import annotations

import re

from holdfast.diagnosis.ending import Ending, Found
from holdfast.diagnosis.paths import ending_expression

_READING = re.compile(
    r"Cannot (read|set) properties of (undefined|null)(?: \((?:reading|setting) '([^']*)'\))?"
)
_NO_FUNCTION = re.compile(r"(?:TypeError: )?(([A-Za-z_$][\w$]*)(?:\.[\w$]+)*) is not a function\b")
_NOT_ITERABLE = re.compile(r"(?:TypeError: )?(([A-Za-z_$][\w$]*)(?:\.[\w$]+)*) is not iterable\b")
#: Calls that give a promise, by how they end.
_GIVES = r"(?:fetch\([^;\n]*\)|[\w$.]+\.(?:json|text|blob|arrayBuffer|formData)\(\)|[\w$.]+(?:\([^;\n]*\))?\.then\([^;\n]*\))"


def not_awaited(end: Ending) -> Found | None:
    """A name that stands for a promise, as its declaration shows."""
    code = end.facts.get("code")
    if not isinstance(code, str):
        return None
    if reading := _READING.search(end.message):
        path = ending_expression(before(end)) or ""
        values = {
            "path": path,
            "missing": reading[2],
            "key": reading[3] or "value",
            "done": "written" if reading[1] == "set" else "read",
        }
        name = re.split(r"[.\[?]", path, maxsplit=1)[0]
        if name == path:  # the name itself is undefined: it is no promise
            return None
    elif called := _NO_FUNCTION.search(end.message) or _NOT_ITERABLE.search(end.message):
        path, name = called[1], called[2]
        values = {"path": path, "missing": "not there", "key": "items", "done": "used"}
    else:
        return None
    call = _call_of(name, code)
    return None if call is None else Found("HF1128", {**values, "name": name, "call": call})


def _call_of(name: str, code: str) -> str | None:
    """The call without `await` that the last declaration of a name has."""
    if not name:
        return None
    async_names = re.findall(
        r"(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*=\s*async\b|async\s+function\s+([A-Za-z_$][\w$]*)",
        code,
    )
    own = "|".join(re.escape(word) for pair in async_names for word in pair if word)
    gives = rf"(?:{_GIVES}|(?:{own})\([^;\n]*\))" if own else _GIVES
    found = re.findall(rf"(?:const|let|var)\s+{re.escape(name)}\s*=\s*({gives})\s*[;\n]", code)
    return " ".join(found[-1].split())[:80] if found else None


def before(end: Ending) -> str:
    """The author's text up to the place of the error, without the dot or bracket before it."""
    code, column = end.facts.get("code"), end.position.get("column")
    if not isinstance(code, str) or not isinstance(column, int):
        return ""
    head, _, last = code.rpartition("\n")
    text = f"{head}\n{last[: column - 1]}"
    return re.sub(r"(?:\?\.|\.|\[['\"]?)\s*$", "", text.rstrip())
