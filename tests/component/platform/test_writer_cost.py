"""What one run makes the database do: few statements, none of them compiled anew."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import CacheStats

from support.platform import FrameWorker, Served

#: From the webhook to the end of a run of one step with two batches of lines, reads and
#: transactions included.
_STATEMENTS = 70


def test_a_run_needs_few_statements_and_compiles_none(served: Served) -> None:
    found: list[str] = []
    compiled: list[str] = []

    def note(_c: Any, _cursor: Any, said: str, _values: Any, context: Any, _many: bool) -> None:
        found.append(said)
        if context.compiled is not None and context.cache_hit is not CacheStats.CACHE_HIT:
            compiled.append(said)

    with served.worker() as worker:
        worker.join_queue()
        _whole_run(served, worker)
        for engine in _engines(served):
            event.listen(engine, "before_cursor_execute", note)
        _whole_run(served, worker)
    assert compiled == []
    assert len(found) <= _STATEMENTS, "\n".join(found)


def _engines(served: Served) -> tuple[Engine, Engine]:
    return served.platform.database.engine, served.platform.database.reading


def _whole_run(served: Served, worker: FrameWorker) -> None:
    served.post()
    talk = worker.take()
    talk.ok("fetch:plan", {})
    talk.state()
    talk.start()
    step = talk.start_step()
    for _ in range(2):
        lines = [
            {"message": [n], "timestamp": talk.now(), "source": "JOB", "level": "info",
             "id": str(uuid.uuid4()), "step_id": step} for n in range(3)
        ]  # fmt: skip
        talk.ok("run:batch_logs", {"logs": lines})
    end = talk.step_end(step)
    talk.ok("step:complete", end)
    assert talk.complete(final_dataclip_id=end["output_dataclip_id"])["status"] == "ok"
