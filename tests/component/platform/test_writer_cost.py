"""What one run makes the database do: few statements, none of them compiled anew."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine.interfaces import CacheStats

from holdfast.platform.service import Chore
from support.platform import FrameWorker, Served

#: From the webhook to the end of a run of one step with two batches of lines, reads and
#: transactions included.
_STATEMENTS = 80
_RUNS = 4


@pytest.fixture
def chores() -> Iterable[Chore]:
    return ()


def test_a_run_needs_few_statements_and_each_is_compiled_once(served: Served) -> None:
    found: list[str] = []
    compiled: Counter[tuple[int, str]] = Counter()

    def note(_c: Any, _cursor: Any, said: str, _values: Any, context: Any, _many: bool) -> None:
        found.append(said)
        if context.compiled is not None and context.cache_hit is not CacheStats.CACHE_HIT:
            compiled[id(context.engine), said] += 1

    database = served.platform.database
    for engine in (database.engine, database.reading):
        event.listen(engine, "before_cursor_execute", note)
    with served.worker() as worker:
        worker.join_queue()
        for _ in range(_RUNS):
            _whole_run(served, worker)
    assert [said for (_, said), times in compiled.items() if times > 1] == []
    assert len(found) <= _RUNS * _STATEMENTS, "\n".join(found)


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
