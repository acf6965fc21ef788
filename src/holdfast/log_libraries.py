"""What libraries say through `logging`, as lines of our own log."""

from __future__ import annotations

import logging

from holdfast import log


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            log.failure("library.failed", error, library=record.name, text=record.getMessage())
        else:
            log.warn("library.said", library=record.name, text=record.getMessage())


def capture() -> None:
    """From now on what libraries warn of goes into our log."""
    logging.basicConfig(handlers=[_Lines()], level=logging.WARNING, force=True)
