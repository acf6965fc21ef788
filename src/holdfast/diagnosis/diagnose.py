"""From what is known of an end to its cause. The rules are tried in order; the first decides."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from holdfast.diagnosis import (
    code_rules,
    edge_rules,
    operation_rules,
    promise_rules,
    state_rules,
    world_rules,
)
from holdfast.diagnosis.ending import Diagnosis, Ending, Found, made, objects, shortened
from holdfast.diagnosis.entry import TURNS, Turn
from holdfast.diagnosis.paths import shown
from holdfast.model.json import JsonObject

#: Characters of a state's shape in an explanation.
_STATE = 1500
#: Columns up to which a place is shown by a caret.
_COLUMNS = 500

_RULES: tuple[Callable[[Ending], Found | None], ...] = (
    world_rules.limits,
    world_rules.installing,
    code_rules.syntax,
    edge_rules.edges,
    state_rules.no_state_before,
    code_rules.mark,
    code_rules.unknown_name,
    code_rules.imports,
    world_rules.collections,
    world_rules.network,
    state_rules.credential,
    world_rules.answered,
    world_rules.address,
    operation_rules.arguments,
    operation_rules.words_of_a_library,
    state_rules.too_much,
    state_rules.not_json,
    code_rules.structure,
    state_rules.thrown_nothing,
    promise_rules.not_awaited,
    state_rules.property_of_nothing,
    state_rules.no_function,
    state_rules.no_list,
    state_rules.nobody_waited,
    world_rules.machine,
    state_rules.thrown,
)


def diagnose(end: Ending) -> Diagnosis | None:
    """Why a step or a run ended as it did; None for one that succeeded."""
    if end.reason == "success":
        return None
    end = end.bounded()
    found = next((made_of for rule in _RULES if (made_of := rule(end)) is not None), None)
    if found is None:
        turn = {"exception": Turn.HOLDFAST}.get(end.reason)
        found = Found("HF1999", {"said": end.said or end.error_type or "The run ended"}, turn)
    diagnosis = made(found, step=end.step, position=end.position)
    state = end.facts.get("state")
    shape = f"state = {shown(state)}" if isinstance(state, dict) else None
    return replace(
        diagnosis,
        state=shape and shortened(shape, _STATE),
        fingerprint=fingerprint(diagnosis.code, end),
    )


def fingerprint(code: str, end: Ending) -> str:
    """The same for the same problem: code, step, message without its values, and the line's text."""
    message = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", "'…'", end.message)
    message = re.sub(r"\b[0-9a-f]{8,}\b|\d+", "#", message)
    line = end.position.get("src")
    parts = (code, end.step or "", message, " ".join(str(line or "").split()))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:12]


def findings(facts: JsonObject, step: str | None = None) -> list[Diagnosis]:
    """What the author of a step should know although nothing failed."""
    told = objects(facts.get("findings"))
    known = [made(found, step=step) for item in told if (found := _finding(item)) is not None]
    return list({item.what: item for item in known}.values())


def _finding(item: JsonObject) -> Found | None:
    what = item.get("what")
    if what == "no_state":
        after = "the operations after it get an empty object, and its own work may be lost"
        return state_rules.no_state(item, after)
    if what == "circular":
        return Found("HF1105", {"path": str(item.get("path"))})
    if what == "not_object":
        words = {"string": "text", "object": "null"}
        return Found("HF1106", {"kind": words.get(str(item.get("kind")), str(item.get("kind")))})
    if what == "lost" and item.get("kind") == "promise":
        path = str(item.get("path"))
        return Found("HF1104", {"what": f"state.{path} was still a promise", "where": ""})
    if what == "lost":
        return Found("HF1109", {"path": str(item.get("path")), "kind": str(item.get("kind"))})
    if what == "pending":
        request = f"{item.get('method')} {item.get('host')}{item.get('path')} had no answer yet"
        return Found("HF1104", {"what": request, "where": ""})
    if what == "no_operation":
        return Found("HF1022")
    if what == "hole":
        request = f"{item.get('method')} {item.get('host')}{item.get('path')}"
        return Found("HF1313", {"request": request, "hole": str(item.get("hole"))})
    if what == "always":
        return edge_rules.asks_nothing(item)
    if what == "no_key":
        return Found("HF1017", {"line": str(item.get("line") or "?")})
    if what == "key_again":
        request = f"{item.get('method')} {item.get('host')}{item.get('path')}"
        return Found("HF1018", {"request": request})
    return None


def rows(diagnosis: Diagnosis, *, headline: bool = True) -> Iterable[str]:
    """The diagnosis for a terminal or a log, one text a line."""
    yield f"{diagnosis.code}  {diagnosis.what}" if headline else diagnosis.what
    line, column, src = (diagnosis.position.get(key) for key in ("line", "column", "src"))
    if line:
        step = f'step "{diagnosis.step}", ' if diagnosis.step else ""
        yield f"at: {step}line {line}" + (f", column {column}" if column else "")
    if isinstance(src, str) and isinstance(column, int) and 0 < column <= _COLUMNS:
        yield f"    {src}"
        yield f"    {' ' * (column - 1)}^"
    if diagnosis.state:
        yield f"there was: {diagnosis.state}"
    yield f"change: {diagnosis.change}"
    yield f"turn: {TURNS[diagnosis.turn]}"
