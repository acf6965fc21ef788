"""A real platform that foreign bytes are sent to; after them it must serve an honest run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import h11

from holdfast import log
from support.platform import Served


class Complaints(logging.Handler):
    """What the platform, or a library in it, logs as its own failure."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, h11.LocalProtocolError):
            return  # what came was no HTTP and was answered so: there is nobody left to answer
        self.found.append(self.format(record))

    def write(self, level: str, event: str, context: dict[str, object]) -> None:
        """In the place of `holdfast.log`."""
        if level == "error" and "h11._util.LocalProtocolError" not in str(context.get("trace")):
            self.found.append(log.line(level, event, context, 0.0))

    def check(self) -> None:
        """Raise what was logged since the last look."""
        found, self.found = self.found, []
        assert not found, found[0]


@contextmanager
def attacked(folder: Path) -> Iterator[tuple[Served, Complaints]]:
    """The platform with a project; when the context ends it must serve an honest run."""
    complaints = Complaints()
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio")]
    for logger in loggers:
        logger.addHandler(complaints)
    try:
        with patch.object(log, "_write", complaints.write), Served(folder / "platform") as served:
            served.deploy()
            yield served, complaints
            complaints.check()
            _honest(served)
    finally:
        for logger in loggers:
            logger.removeHandler(complaints)


def _honest(served: Served) -> None:
    """One run from its webhook to its end, by a worker that behaves."""
    with served.worker("honest") as worker:
        assert worker.join_queue()["status"] == "ok"
        run_id = served.post()
        given: list[dict[str, str]] = []
        while run_id not in [run["id"] for run in given]:
            claimed = worker.claim(demand=50)
            assert claimed, "the honest run cannot be claimed"
            given += claimed
        assert worker.join_run(next(run for run in given if run["id"] == run_id))["status"] == "ok"
        end = {"reason": "success", "error_type": None, "error_message": None}
        at = "1795424525513089"
        for event, payload in (
            ("run:start", {"timestamp": at, "versions": {}}),
            ("run:log", {"message": ["a"], "timestamp": at}),
            ("run:complete", {**end, "timestamp": at}),
        ):
            assert worker.push(f"run:{run_id}", event, payload)["status"] == "ok"
    assert served.run(run_id)["state"] == "success"
