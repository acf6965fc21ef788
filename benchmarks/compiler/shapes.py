"""The inputs of `docs/research/compiler-cost.md`: one step each, made anew from a seed.

tree, tree-op, wide, str as described there; parse: the data as a string for JSON.parse; ext: the
data comes in with the state, the text has none, whatever the size asked for; author:
nested data as people write it (unquoted keys, single quotes, comments, trailing commas).
"""

from __future__ import annotations

import json
import random
import re
from typing import Any

SHAPES = ("tree", "tree-op", "wide", "str", "parse", "ext", "author")
WORDS = [
    "clinic",
    "région",
    "patient",
    "naïve",
    "visit",
    "Zürich",
    "follow",
    "up",
    "kayit",
    "code",
]
TAIL = "\neach('$.rows', fn(s => table[s.key]));\nget($.url, { query: { id: $.id } });\n"


def source(shape: str, size: int, seed: int = 1) -> str:
    """The step's text, of about `size` bytes."""
    pick = random.Random(seed)
    if shape == "ext":
        return (
            f"const table = {{}};\nfn(s => Object.assign(table, JSON.parse(s.tables)) && s);{TAIL}"
        )
    if shape == "str":
        data: Any = {f"text {n}": words(pick, 1000) for n in range(max(1, size // 960))}
    elif shape in {"wide", "parse"}:
        data = {f"record {n}": record(pick, n) for n in range(max(1, size // 300))}
    else:
        data = tree(pick, max(1, size // 355))
    text = json.dumps(data, indent=2, ensure_ascii=False)
    if shape == "parse":
        data |= {f"more {n}": record(pick, n) for n in range(size // 700)}
        compact = json.dumps(data, ensure_ascii=False).replace("\\", "\\\\").replace("'", "\\'")
        return f"const table = JSON.parse('{compact}');\nfn(s => s);{TAIL}"
    if shape == "author":
        text = re.sub(r'^( *)"(\w+)":', r"\1\2:", text, flags=re.MULTILINE).replace('"', "'")
        text = re.sub(r"('|\d)\n", r"\1,  // as given\n", text)
    if shape == "tree-op":
        return (
            f"fn(state => {{\n  const table = {text};\n  return {{ ...state, table }};\n}});{TAIL}"
        )
    return f"const table = {text};\nfn(s => s);{TAIL}"


def words(pick: random.Random, length: int) -> str:
    """Some words, of about this many characters."""
    return " ".join(pick.choices(WORDS, k=length // 7))


def record(pick: random.Random, number: int) -> dict[str, Any]:
    """One record of a mapping table."""
    return {
        "id": number,
        "name": words(pick, 30),
        "codes": [pick.randrange(10**6) for _ in range(4)],
        "active": pick.random() < 0.5,
        "weight": round(pick.random() * 100, 3),
        "labels": {"en": words(pick, 14), "fr": words(pick, 14)},
        "parent": None,
    }


def tree(pick: random.Random, count: int) -> dict[str, Any]:
    """Records in an object no part of which has more than 20 keys."""
    level: list[Any] = [record(pick, number) for number in range(count)]
    while len(level) > 20:
        level = [
            {f"k{n}": item for n, item in enumerate(level[start : start + 20])}
            for start in range(0, len(level), 20)
        ]
    return {f"k{n}": item for n, item in enumerate(level)}
