"""Causes in the edges of a workflow: conditions, and steps that are not there."""

from __future__ import annotations

import re

from holdfast.diagnosis.ending import Ending, Found
from holdfast.model.json import JsonObject

#: `engine/javascript/plan.mjs` has these, too. Comments, texts and patterns:
_ASIDE = re.compile(
    r"""\/\*[\s\S]*?\*\/|\/\/.*|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`"""
    r"""|\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+\/"""
)
#: An assignment to a part of the state.
_ASSIGNS = re.compile(r"(?<![\w$.])state(?:\??\.[\w$]+|\[[^\]]*\])+\s*=(?![=>])")
#: Where a function of the condition's own begins: what stands in it is none of our business.
_INSIDE = re.compile(r"=>|\bfunction\b")
_FUNCTION = re.compile(
    r"(?:async\b\s*)?(?:[\w$]+\s*=>|\([^()]*\)\s*=>|function\b.*\}$)", re.DOTALL
)
#: Characters of a condition that are looked at.
_LOOKED = 2000


def doubt(text: str) -> str | None:
    """Why a condition asks nothing, from its text: `function`, `assignment`, or None."""
    text = _ASIDE.sub(" ", text.strip()[:_LOOKED])
    if _is_function(text):
        return "function"
    return "assignment" if _ASSIGNS.search(_INSIDE.split(text, maxsplit=1)[0]) else None


def _is_function(text: str) -> bool:
    """Whether the whole expression is a function, and not one that is called at once."""
    ends = _closed(text)
    start, end = 0, len(text)
    while True:
        while start < end and text[end - 1] in " \n\t;":
            end -= 1
        while start < end and text[start] in " \n\t":
            start += 1
        if start == end or ends.get(start) != end - 1:
            break
        start, end = start + 1, end - 1
    if start in ends:
        return text[ends[start] + 1 : end].lstrip().startswith("=>")
    return _FUNCTION.match(text[start:end]) is not None


def _closed(text: str) -> dict[int, int]:
    """Each opening parenthesis with its closing one."""
    found, opened = {}, []
    for place, letter in enumerate(text):
        if letter == "(":
            opened.append(place)
        elif letter == ")" and opened:
            found[opened.pop()] = place
    return found


def _condition_advice(message: str, text: str) -> str:
    if name := re.search(r"(\S+) is not defined", message):
        word = re.escape(name[1])
        right = re.sub(rf"(?<![\w$.]){word}(?![\w$])", "state", text)
        if name[1] != "$":
            right = re.sub(rf"(?<![\w$.])({word})(?![\w$])", r"state.\1", text)
        return f"A condition knows nothing but state: write `{right}`."
    return f"Allow for what may be missing: `{_safe(text)}`."


def _safe(condition: str) -> str:
    """A condition that bears what is missing below `state`."""
    return re.sub(r"\bstate(?:\.\w+)+", lambda found: _optional(found[0]), condition)


def _optional(path: str) -> str:
    first, second, *others = path.split(".")
    return "?.".join((f"{first}.{second}", *others))


def asks_nothing(item: JsonObject) -> Found:
    """A condition whose value says nothing of the state."""
    text = str(item.get("text"))[:200]
    said, advice = (
        "is a function, which counts as true whatever the state is",
        ("Write the expression alone, without `=>`: `state.data.length > 0`."),
    )
    if item.get("kind") == "assignment":
        said, advice = "sets a value instead of comparing it", "Compare with `===`, not with `=`."
    values = {"source": str(item.get("from")), "target": str(item.get("to")), "text": text}
    return Found("HF1130", {**values, "said": said, "advice": advice})


def edges(end: Ending) -> Found | None:
    """Conditions of edges, and plans that make no sense."""
    if end.error_type == "EdgeConditionError":
        edge = end.facts.get("edge")
        told = edge if isinstance(edge, dict) else {}
        values = {"source": str(told.get("from", "?")), "target": str(told.get("to", "?"))}
        text = str(told.get("text", "?"))
        values |= {"said": end.said, "text": text, "advice": _condition_advice(end.message, text)}
        return Found("HF1122", values)
    if broken := re.search(
        r"Failed to compile edge condition (\S+?)->(\S+) \((.*?)\)(?:\n|$)", end.message
    ):
        return Found("HF1121", {"source": broken[1], "target": broken[2], "said": broken[3]})
    if end.error_type == "ValidationError":
        return Found("HF1123", {"said": end.said})
    if end.error_type == "DataClipError":
        return Found("HF1124", {"said": end.said})
    return None
