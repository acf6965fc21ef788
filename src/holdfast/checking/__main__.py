"""A process of its own for checks of code that others have written: `python -m holdfast.checking`.

Reads one JSON object from standard input, writes one to standard output; also finds data in code
that can be moved into a collection. Whoever starts it ends it
when it takes too long: code can be written that takes a compiler very long.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

from holdfast.adaptors.store import Store
from holdfast.checking.codecheck import Checker, Code, Finding, check_conditions
from holdfast.checking.moving import Step
from holdfast.diagnosis import edge_rules
from holdfast.diagnosis.catalogue import CATALOGUE
from holdfast.diagnosis.ending import shortened
from holdfast.model.json import Json, JsonObject

#: Seconds of processor that the checks may take, and bytes of memory of each process.
_SECONDS, _MEMORY = 10, 1024**3


def answer(asked: dict[str, Any]) -> JsonObject:
    """Findings by part, names that each step may use, and adaptors that are not installed.

    `asked` has `store`, the folder of adaptors; `codes`: `id`, `text` and `adaptor` of each step;
    `conditions`: `id` and `text` of each condition.
    """
    checker = Checker(Store(Path(asked["store"])))
    codes = [Code(item["id"], item["text"], (item["adaptor"],)) for item in asked["codes"]]
    found: dict[str, list[Json]] = {}
    for item in checker.check(codes):
        found.setdefault(item.code.name, []).append(_finding(item))
    texts = [item["text"] for item in asked["conditions"]]
    for item, said in zip(asked["conditions"], check_conditions(texts), strict=True):
        message = f"V8 says: {shortened(said)}." if said is not None else _doubt(item["text"])
        if message is not None:
            here: JsonObject = {"line": 1, "column": 1, "warning": said is None}
            found[item["id"]] = [{**here, "message": message}]
    names: JsonObject = {
        code.name: [
            {"name": name, "about": about} for name, about in checker.operations(code.adaptors[0])
        ]
        for code in codes
    }
    return {"found": dict(found), "names": names, "absent": [*sorted(checker.absent)]}


def movable(asked: dict[str, Any]) -> JsonObject:
    """The data in a step's code, the largest first, and the step without one of them.

    `asked` has `store`, the step's `text` and `adaptor`, `chosen`, the number of one of its data;
    the `collection` that it goes to, and whether that is `shared` with other items.
    """
    checker, adaptor = Checker(Store(Path(asked["store"]))), asked["adaptor"]
    known = [name for name, _ in checker.operations(adaptor)]
    if known and "fn" not in known:
        return {"data": [], "moved": None, "why": "The step's adaptor has no fn()."}
    step = Step(asked["text"], checker.giving(adaptor))
    chosen = step.data[asked["chosen"]] if asked["chosen"] < len(step.data) else None
    moved: Json = None
    if chosen is not None and not chosen.reason:
        prefix = f"{chosen.name}:" if asked["shared"] else ""
        made = step.moved(chosen, asked["collection"], prefix)
        moved = {**made._asdict(), "prefix": prefix, "items": [list(pair) for pair in made.items]}
    data: list[Json] = [
        {"name": item.name, "line": item.line, "bytes": item.literal.end - item.literal.start,
         "items": len(item.items.pairs), "reason": item.reason}
        for item in step.data
    ]  # fmt: skip
    return {"data": data, "moved": moved, "why": None}


def _doubt(text: str) -> str | None:
    """What is strange about a condition that is JavaScript."""
    kind = edge_rules.doubt(text)
    if kind is None:
        return None
    told = edge_rules.asks_nothing({"from": "here", "to": "the step", "kind": kind, "text": text})
    return f"{CATALOGUE[told.code].title}. {told.values['advice']}"


def _finding(item: Finding) -> JsonObject:
    told = item.diagnosis
    return {
        "line": item.line or 1,
        "column": item.column or 1,
        "warning": item.warning,
        "message": f"{told.what} {told.change}".strip(),
    }


def limit_self() -> None:
    """Little time, memory and no files: for this process, and for the Node that it starts."""
    for limit, most in (
        (resource.RLIMIT_CPU, _SECONDS),
        (resource.RLIMIT_DATA, _MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 1),  # as `NO_DUMP` of holdfast.sandbox.spec
    ):
        hard = resource.getrlimit(limit)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (value, value))


if __name__ == "__main__":
    limit_self()
    said = json.load(sys.stdin)
    sys.stdout.write(json.dumps((answer if "codes" in said else movable)(said)))
