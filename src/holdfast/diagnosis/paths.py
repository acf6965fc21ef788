"""Which part of the state an expression of the author means, and where it ends in what was there.

The expression is read backwards from the place of an error. Names stand for state where the code
shows it: the parameter of an operation, a constant, an item of a list. What the code does not show
stays unknown: a guess would send the author to the wrong place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from holdfast.model.json import Json, JsonObject

_NAME = r"[A-Za-z_$][\w$]*"
_PART = rf"(?:\?\.|\.){_NAME}|(?:\?\.)?\[(?:\d+|'[^'\n]*'|\"[^\"\n]*\")\]"
#: An expression of names at the end of a text, and one wherever it stands.
_AT_END = re.compile(rf"(?<![\w$.])({_NAME}(?:{_PART})*)\s*$")
_WHOLE = rf"{_NAME}(?:{_PART})*"
_STEP = re.compile(
    rf"\??\.?({_NAME})|(?:\?\.)?\[(\d+)\]|(?:\?\.)?\['([^']*)'\]|(?:\?\.)?\[\"([^\"]*)\"\]"
)
#: Blank text before a dot. Only as a whole: else many empty lines would take time without end.
_BROKEN = re.compile(r"(?<!\s)\s+(?=\??\.)")
#: Names that stand for names before their meaning is given up.
_DEEPEST = 6
#: Methods that give items of their list to a function.
_EACH = "map|forEach|filter|find|findIndex|some|every|flatMap|sort"


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a path leads into what was there: `rest` is what is missing, `keys` what stands
    beside it, `kind` what is there instead."""

    path: str
    missing: str | None
    before: str
    keys: list[str]
    kind: str
    #: Those of the keys that are lists.
    lists: list[str]


def ending_expression(text: str) -> str | None:
    """The expression of names that ends a text, such as `state.data.name`."""
    joined = _BROKEN.sub(_joining, text)
    found = _AT_END.search(joined)
    return found[1] if found else None


def _joining(blank: re.Match[str]) -> str:
    return "" if "\n" in blank[0] else blank[0]


def steps_of(path: str) -> list[str]:
    """`state.data[0].name` as its steps; an item of a list is `[0]`."""
    found = []
    for name, index, single, double in _STEP.findall(path):
        found.append(name or (f"[{index}]" if index else single or double))
    return found


def meant(path: str, code: str, depth: int = 0) -> list[str] | None:
    """The steps from the state on that an expression means; None where the code does not say."""
    root, *rest = steps_of(path)
    if root in ("state", "$"):
        return rest
    if depth >= _DEEPEST:
        return None
    name = re.escape(root)
    for pattern, item in (
        (rf"\b(?:const|let|var)\s+{name}\s*=\s*(?:await\s+)?({_WHOLE})\s*(?:[;\n,]|$)", False),
        (rf"\bof\s+({_WHOLE})\s*\)", True),
        (rf"({_WHOLE})\.(?:{_EACH})\(\s*(?:async\s*)?\(?\s*{name}\b", True),
        (rf"\{{[^{{}}]*\b{name}\b[^{{}}]*\}}\s*=\s*({_WHOLE})", None),
    ):
        if pattern.startswith(r"\bof") and not re.search(rf"\b{name}\s+of\b", code):
            continue
        found = re.search(pattern, code)
        if found is None:
            continue
        base = meant(found[1], code, depth + 1)
        if base is None:
            return None
        return [*base, *([root] if item is None else ["[0]"] if item else []), *rest]
    if re.search(rf"\(\s*\{{[^{{}}]*\b{name}\b[^{{}}]*\}}\s*\)\s*=>", code):
        return [root, *rest]
    if re.search(
        rf"(?:\(|,|^)\s*(?:async\s*)?\(?\s*{name}\s*\)?\s*=>|function\s*\w*\(\s*{name}\b", code
    ):
        return rest
    return None


def walked(steps: list[str], shape: Json) -> Walk:
    """Follow steps into a shape of `facts.mjs`."""
    done = ["state"]
    here: Json = shape
    for step in steps:
        key = "[0]" if step.startswith("[") else step
        if not isinstance(here, dict) or key not in here or _beyond(step, here):
            keys = _keys(here)
            return Walk(_joined([*done, step]), step, _joined(done), keys, kind_of(here), [])
        here = here[key]
        done.append(step)
    lists = [key for key in _keys(here) if isinstance(here, dict) and "[]" in str(here[key])]
    return Walk(_joined(done), None, _joined(done[:-1]), _keys(here), kind_of(here), lists)


def _beyond(step: str, here: JsonObject) -> bool:
    """Whether an index lies behind the end of a list."""
    length, index = here.get("[]"), step[1:-1]
    return isinstance(length, int) and index.isdigit() and int(index) >= length


def _joined(steps: list[str]) -> str:
    return "".join(
        step if step.startswith("[") else f".{step}" if index else step
        for index, step in enumerate(steps)
    )


def _keys(shape: Json) -> list[str]:
    if not isinstance(shape, dict):
        return []
    return [key for key in shape if key not in ("[]", "[0]", "…")]


def kind_of(shape: Json) -> str:
    """What a shape is, in words."""
    if isinstance(shape, dict):
        if "[]" in shape:
            count = shape["[]"]
            return f"a list of {count}"
        return f"an object with {len(shape)} keys" if shape else "an empty object"
    words = {
        "string": "a text", "number": "a number", "boolean": "true or false", "null": "null",
        "undefined": "undefined", "function": "a function", "promise": "a promise",
    }  # fmt: skip
    return words.get(str(shape), "a value")


def shown(shape: Json, depth: int = 3) -> str:
    """A shape as text for the author: `{data: {patients: [3 × {id: text}]}}`."""
    if not isinstance(shape, dict):
        return {"string": "text", "boolean": "true/false"}.get(str(shape), str(shape))
    if "[]" in shape:
        if shape["[]"] == 0:
            return "[]"
        return f"[{shape['[]']} × {shown(shape.get('[0]'), depth - 1)}]"
    if not shape:
        return "{}"
    if depth <= 0:
        return "{…}"
    parts = [
        f"{key}: {shown(value, depth - 1)}" if key != "…" else f"… {value}"
        for key, value in shape.items()
    ]
    return "{" + ", ".join(parts) + "}"
