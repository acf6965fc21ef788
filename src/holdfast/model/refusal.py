"""What a platform's refusal says, in words."""

from __future__ import annotations

import json
from typing import cast

from holdfast.model.json import Json, JsonObject


def words_of(response: Json | bytes) -> str:
    """What a platform's refusal says: `{"errors": {"id": ["not found"]}}` is `id: not found`."""
    if isinstance(response, bytes):
        return response.decode(errors="replace")
    if isinstance(response, str):
        return response
    errors = response.get("errors") if isinstance(response, dict) else None
    if isinstance(errors, dict) and errors and set(cast("JsonObject", response)) == {"errors"}:
        return "; ".join(f"{key}: {_told(text)}" for key, text in errors.items())
    return json.dumps(response, ensure_ascii=False, separators=(",", ":"))


def _told(errors: Json) -> str:
    many = errors if isinstance(errors, list) else [errors]
    return ", ".join(item if isinstance(item, str) else json.dumps(item) for item in many)
