"""A test case from a recorded run: start, input, answers, what must come out. Pure."""

from __future__ import annotations

from typing import cast

from holdfast.bench.bundle import Bundle
from holdfast.model.json import Json, JsonObject, parse_document

#: Headers of an answer that code works with. All others differ from day to day.
_HEADERS = {"content-type", "location", "link", "retry-after", "etag", "x-total-count"}


def case_of(bundle: Bundle, made: Bundle, again: Bundle, keys: dict[str, str]) -> JsonObject:
    """The case, in the form of `tests/*.yaml`: what came in as recorded, what comes out as `made`.

    `made`: the same run with the code as it is now; `again`: at another time, too. What differs
    there (clock, chance) cannot be expected. `keys`: step id of the run -> key in the project.
    """
    ran = [keys.get(step.id, step.id) for step in made.steps]
    failed = made.outcome.get("reason") != "success"
    case: JsonObject = {"input": bundle.input or {}}
    if ran:
        case |= {"start": ran[0], "path": [*ran]}
    credentials: JsonObject = {
        keys.get(step.id, step.id): step.configuration
        for step in bundle.steps
        if step.configuration
    }
    if credentials:
        case["credentials"] = credentials
    if requests := [_request(found) for found in bundle.exchanges if "url" in found]:
        case["requests"] = [*requests]
    if failed:
        case["fails"] = _failure(made)
    else:
        other = {step.id: _value(step.output) for step in again.steps}
        case["expect"] = {
            key: _stable(_value(step.output), other.get(step.id))
            for key, step in zip(ran, made.steps, strict=True)
            if step.output is not None
        }
    return case


def _value(text: str | None) -> Json:
    return None if text is None else parse_document(text)


def _failure(bundle: Bundle) -> str:
    diagnosis = bundle.outcome.get("diagnosis")
    code = diagnosis.get("code") if isinstance(diagnosis, dict) else None
    return str(code or bundle.outcome.get("error_type"))


def _request(found: JsonObject) -> JsonObject:
    answer = found.get("answer")
    text = str(answer.get("text") or "") if isinstance(answer, dict) else ""
    told: JsonObject = {
        "method": found["method"],
        "url": found["url"],
        "status": found["status"],
        "answer": _readable(text),
    }
    if isinstance(headers := found.get("headers"), dict):
        kept = {name: value for name, value in headers.items() if name in _HEADERS}
        told |= {"headers": kept} if kept else {}
    return told


def _readable(text: str) -> Json:
    """JSON as it is; else the text."""
    try:
        value = parse_document(text)
    except ValueError:
        return text
    return text if isinstance(value, str) else value


def _stable(value: Json, again: Json) -> Json:
    """The parts of an object that are the same both times."""
    if isinstance(value, dict) and isinstance(again, dict):
        return {
            key: _stable(item, again[key])
            for key, item in value.items()
            if key in again and _shared(item, again[key])
        }
    return value


def _shared(value: Json, again: Json) -> bool:
    if isinstance(value, dict) and isinstance(again, dict):
        return True
    return type(value) is type(again) and cast("object", value) == again
