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
#: Calls that surely give a promise, by how they look.
_FETCH = re.compile(r"fetch\([^;\n]*\)")
_THEN = re.compile(r"[\w$.]+(?:\([^;\n]*\))?\.then\([^;\n]*\)")
_BODY = re.compile(r"([A-Za-z_$][\w$]*)\.(?:json|text|blob|arrayBuffer|formData)\(\)")
#: How authors call an answer of `fetch` that the code before does not show.
_ANSWERS = frozenset({"response", "res", "resp", "answer", "reply"})


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
    """The call without `await` that a name was declared with, where nothing between there and the
    error gives the name another meaning."""
    value, after = _declared(name, code)
    if value is None or _means_another(name, after):
        return None
    call = " ".join(value.split())
    return call[:80] if _is_promise(call, code) else None


def _declared(name: str, code: str) -> tuple[str | None, str]:
    """The value of a name's last declaration, and the code after it."""
    found = list(re.finditer(rf"(?:const|let|var)\s+{re.escape(name)}\s*=\s*([^;\n]*)[;\n]", code))
    return (found[-1][1], code[found[-1].end() :]) if found else (None, "")


def _means_another(name: str, code: str) -> bool:
    """Whether the code gives the name a value, or has a parameter of this name."""
    word = rf"(?<![\w$.]){re.escape(name)}(?![\w$])"
    parameter = rf"{word}\s*=>|\([^()]*{word}[^()]*\)\s*=>|\bfunction\b[^()]*\([^()]*{word}"
    taken_apart = rf"[{{\[,]\s*{word}\s*[,}}\]][^;\n]*="
    return re.search(rf"{word}\s*=(?![=>])|{parameter}|{taken_apart}", code) is not None


def _is_promise(call: str, code: str) -> bool:
    if _FETCH.fullmatch(call) or _THEN.fullmatch(call):
        return True
    if body := _BODY.fullmatch(call):
        owner, _ = _declared(body[1], code)
        return body[1] in _ANSWERS if owner is None else owner.startswith("await fetch(")
    called = re.match(r"([A-Za-z_$][\w$]*)\([^;\n]*\)$", call)
    return called is not None and _is_async(called[1], code)


def _is_async(name: str, code: str) -> bool:
    """Whether every declaration of a function is an async one."""
    word = re.escape(name)
    kinds = re.findall(
        rf"(?:const|let|var)\s+{word}\s*=\s*(async\b(?!\s*function\s*\*))?|(async\s+)?function\s+{word}\b",
        code,
    )
    return bool(kinds) and all(any(pair) for pair in kinds)


def before(end: Ending) -> str:
    """The author's text up to the place of the error, without the dot or bracket before it."""
    code, column = end.facts.get("code"), end.position.get("column")
    if not isinstance(code, str) or not isinstance(column, int):
        return ""
    head, _, last = code.rpartition("\n")
    text = f"{head}\n{last[: column - 1]}"
    return re.sub(r"(?:\?\.|\.|\[['\"]?)\s*$", "", text.rstrip())
