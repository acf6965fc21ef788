"""The file of a recorded run. It may come from anybody, so its shape is checked when read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from holdfast.bench.bundle import VERSION, Bundle, RecordedStep
from holdfast.model.errors import UsageError
from holdfast.model.json import JsonObject, parse_document

_TEXT: JsonObject = {"type": "string"}
_PERHAPS: JsonObject = {"type": ["string", "null"]}
_OBJECT: JsonObject = {"type": "object"}
_STEP: JsonObject = {
    "type": "object",
    "properties": {
        "id": _TEXT,
        "reason": _TEXT,
        "came_from": {"type": ["integer", "null"], "minimum": 0},
        "tape": _OBJECT,
        "configuration": True,
        "output": _PERHAPS,
    },
    "required": [*RecordedStep.__slots__],
    "additionalProperties": False,
}
_EXCHANGE: JsonObject = {
    "type": "object",
    "properties": {"method": _TEXT, "url": _TEXT, "host": _PERHAPS, "path": _PERHAPS},
    "required": ["method"],
}
_WORKFLOW: JsonObject = {
    "type": "object",
    "properties": {
        "steps": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "properties": {"id": _TEXT}, "required": ["id"]},
        }
    },
    "required": ["steps"],
}
_BUNDLE: JsonObject = {
    "type": "object",
    "properties": {
        "run_id": _TEXT,
        "plan": {"type": "object", "properties": {"workflow": _WORKFLOW},
                 "required": ["workflow"]},
        "adaptors": _OBJECT,
        "outcome": _OBJECT,
        "steps": {"type": "array", "items": _STEP},
        "exchanges": {"type": "array", "items": _EXCHANGE},
        "notes": {"type": "array", "items": _TEXT},
    },
    "required": [*Bundle.__slots__],
}  # fmt: skip


def bundle_bytes(value: JsonObject) -> bytes:
    """The file of a bundle that is given as JSON."""
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    return text.encode("utf-8", "surrogatepass")  # a state may have half of such a pair


def write_bundle(bundle: Bundle, path: Path) -> int:
    """Write it as JSON, for its owner only; returns the bytes."""
    data = bundle_bytes(bundle.to_json())
    path.touch(mode=0o600)
    path.write_bytes(data)
    return len(data)


def read_bundle(path: Path) -> Bundle:
    """The bundle in a file. Raises UsageError that names the file and the place in it."""
    try:
        value = parse_document(path.read_bytes())
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise UsageError(message) from None
    except ValueError as error:
        message = f"{path}: not JSON: {error}"
        raise UsageError(message) from None
    if not isinstance(value, dict) or value.get("holdfast_run") != VERSION:
        message = f"{path}: this is no recorded run"
        raise UsageError(message, fix="`holdfast pull-run RUN` makes one.")
    if (wrong := _wrong(value)) is not None:
        message = f"{path}: the file is damaged: {wrong}"
        raise UsageError(message, fix="Make it again with `holdfast pull-run RUN`.")
    known: dict[str, Any] = {name: value[name] for name in Bundle.__slots__}
    steps = [RecordedStep(**item) for item in known.pop("steps")]
    return Bundle(steps=steps, **known)


def _wrong(value: JsonObject) -> str | None:
    """What is wrong with it, and where; None if nothing is."""
    # Loaded with the first bundle: the platform's start need not wait for it.
    from jsonschema import Draft202012Validator  # noqa: PLC0415
    from jsonschema.exceptions import best_match  # noqa: PLC0415

    if (error := best_match(Draft202012Validator(_BUNDLE).iter_errors(value))) is not None:
        return f"{error.json_path}: {error.message[:200]}"
    steps = cast("list[JsonObject]", value["steps"])
    for number, step in enumerate(steps):
        if isinstance(place := step["came_from"], int) and place >= number:
            return f"$.steps[{number}].came_from: {place} is no step before it"
    for number, item in enumerate(cast("list[JsonObject]", value["exchanges"])):
        try:
            urlsplit(str(item.get("url") or ""))
        except ValueError as error:
            return f"$.exchanges[{number}].url: {error}"
    return None
