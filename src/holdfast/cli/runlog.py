"""Log lines of a run for a terminal: `[JOB] ℹ text`, coloured by level."""

from __future__ import annotations

import json
import re

from holdfast.cli import terminal
from holdfast.model.json import Json, JsonObject

_ICONS = {"debug": "❯", "info": "ℹ", "success": "✔", "always": "♦", "warn": "⚠", "error": "✘"}
_COLOURS = {"debug": "bright_black", "warn": "yellow", "error": "red", "success": "green"}
_CODE = re.compile(r"HF\d{4}  ")
#: Names of `--log`, and the priority from which each shows lines (`docs/spec/runtime.md` 6.1).
PRIORITY = {"debug": 0, "info": 1, "success": 2, "always": 2, "warn": 2, "error": 100}
FILTERS = {"debug": 0, "info": 1, "default": 2, "job": 2, "none": 9}
_OF_CODE = {"JOB", "ADA"}


def render_item(item: Json) -> str:
    """One logged value as text: strings as they are, the rest as JSON."""
    return item if isinstance(item, str) else json.dumps(item, indent=2, ensure_ascii=False)


def render(line: JsonObject) -> str:
    """The text of one LOG record."""
    level, message = str(line.get("level", "info")), line.get("message")
    items = message if isinstance(message, list) else [message]
    text = " ".join(render_item(item) for item in items)
    return f"[{line.get('source', '???')}] {_ICONS.get(level, 'ℹ')} {text}"


def is_verdict(line: JsonObject) -> bool:
    """Whether the line says why the run failed, as `holdfast run` says it at the end."""
    message = line.get("message")
    text = message[0] if isinstance(message, list) and message else None
    is_error = line.get("source") == "RTE" and line.get("level") == "error"
    return is_error and isinstance(text, str) and bool(_CODE.match(text))


def shown(line: JsonObject, log_filter: str) -> bool:
    """Whether a filter lets this line through. `job`: what the code says, and warnings."""
    if log_filter == "job":
        return line.get("source") in _OF_CODE or line.get("level") == "warn"
    return PRIORITY.get(str(line.get("level", "info")), 1) >= FILTERS[log_filter]


def show(line: JsonObject) -> None:
    """Write one line to standard error."""
    terminal.echo(render(line), err=True, fg=_COLOURS.get(str(line.get("level"))))
