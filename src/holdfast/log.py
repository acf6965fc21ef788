"""The log of every process of Holdfast: one line for each event, on stderr.

    2026-01-01T12:00:00.123Z warn run.relaunched run=b2c5… reason=shim_died_before_start
    {"time":"2026-01-01T12:00:00.123Z","level":"warn","event":"run.relaunched","run":"b2c5…"}

A line is a time (UTC), a level, the name of an event, and its context as key=value. A value with
spaces stands in quotes, as JSON text; with the format `json` a line is one JSON object.
`log_events.py` lists the events. Standard library only, and without `logging`: each shim is a
copy of the supervisor, and so of all that it loads.
"""

from __future__ import annotations

import json
import re
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress

from holdfast.model.errors import UsageError
from holdfast.model.visible import visible

#: What can be asked for, from most to least. `none` is above every event.
LEVELS = ("debug", "info", "warn", "error", "none")
_PLAIN = re.compile(r"[^\s\"=]+")
#: How a line looks: for people, or for what collects logs.
FORMATS = ("text", "json")
_least = "info"
_as_json = False
Listener = Callable[[str, str, dict[str, object]], None]
_listener: Listener | None = None


def listen(listener: Listener | None) -> None:
    """Have every event told to this too, whatever level is written: level, event, context."""
    global _listener  # noqa: PLW0603 - one log for each process
    _listener = listener


def set_up(level: str, form: str = "text") -> None:
    """Write from this level on, in this form. UsageError for an unknown one."""
    global _least, _as_json  # noqa: PLW0603 - one log for each process
    if form not in FORMATS:
        message = f"log format {form!r} is unknown"
        raise UsageError(message, fix=f"Use one of {', '.join(FORMATS)}.")
    _as_json = form == "json"
    if level not in LEVELS:
        message = f"log level {level!r} is unknown"
        raise UsageError(message, fix=f"Use one of {', '.join(LEVELS)}.")
    _least = level


def debug(event: str, /, **context: object) -> None:
    """Details for finding the cause of a problem."""
    _write("debug", event, context)


def info(event: str, /, **context: object) -> None:
    """What happens in normal work."""
    _write("info", event, context)


def warn(event: str, /, **context: object) -> None:
    """What an operator may have to look at."""
    _write("warn", event, context)


def error(event: str, /, **context: object) -> None:
    """What an operator or a developer has to mend."""
    _write("error", event, context)


def failure(event: str, error: BaseException, /, **context: object) -> None:
    """A fault of our own code: level `error`, with the error and where it came from."""
    trace = "".join(traceback.format_exception(error))
    _write("error", event, {**context, "why": f"{type(error).__name__}: {error}", "trace": trace})


def line(level: str, event: str, context: dict[str, object], seconds: float) -> str:
    """One line of the log, without its end. `seconds` since 1970."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    when = f"{moment}.{int(seconds % 1 * 1000):03d}Z"
    if _as_json:
        fields = {"time": when, "level": level, "event": event, **context}
        return visible(json.dumps(fields, ensure_ascii=False, default=str))
    pairs = (f"{key}={_text(value)}" for key, value in context.items())
    return " ".join([when, level, event, *pairs])


def _write(level: str, event: str, context: dict[str, object]) -> None:
    if _listener is not None:
        _listener(level, event, context)
    if LEVELS.index(level) >= LEVELS.index(_least):
        # A log that cannot be written must not end the process.
        with suppress(OSError, ValueError):
            sys.stderr.write(line(level, event, context, time.time()) + "\n")
            sys.stderr.flush()


def _text(value: object) -> str:
    plain = isinstance(value, str) or not isinstance(value, dict | list | tuple | bool | None)
    text = str(value) if plain else json.dumps(value, ensure_ascii=False, default=str)
    return visible(text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False))
