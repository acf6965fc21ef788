"""The worker's own log: short fixed names with key=value context, one line each, on stderr."""

from __future__ import annotations

import logging
import sys

from holdfast.model.errors import UsageError

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "none": logging.CRITICAL + 10,
}
_logger = logging.getLogger("holdfast.worker")


def set_up(level: str) -> None:
    """Write to stderr from this level on. UsageError for an unknown one."""
    if level not in LEVELS:
        message = f"log level {level!r} is unknown"
        raise UsageError(message, fix=f"Use one of {', '.join(LEVELS)}.")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    _logger.handlers[:] = [handler]
    _logger.propagate = False
    _logger.setLevel(LEVELS[level])


def debug(event: str, /, **context: object) -> None:
    """What only somebody who looks for a cause wants to read."""
    _write(logging.DEBUG, event, context)


def info(event: str, /, **context: object) -> None:
    """What happens in normal work."""
    _write(logging.INFO, event, context)


def warn(event: str, /, **context: object) -> None:
    """What somebody may have to look at."""
    _write(logging.WARNING, event, context)


def error(event: str, /, **context: object) -> None:
    """What somebody has to mend."""
    _write(logging.ERROR, event, context)


def _write(level: int, event: str, context: dict[str, object]) -> None:
    if _logger.isEnabledFor(level):
        pairs = " ".join(f"{key}={_text(value)}" for key, value in context.items())
        _logger.log(level, "%s", f"{event} {pairs}".rstrip())


def _text(value: object) -> str:
    text = str(value).replace("\n", "\\n")
    return f'"{text}"' if " " in text or not text else text
