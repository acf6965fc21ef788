"""What the delivery of a run does beside the rules of its outbox."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

from fuzz.pipeline import CONFIG, FakeChannel
from holdfast.journal import DeliveryState, Journal, RunFolder
from holdfast.model.record import Kind
from holdfast.protocol.frames import Payload, Raw
from holdfast.protocol.messages import STEP_COMPLETE
from holdfast.testing.twin_run import TwinRun
from holdfast.worker.connection import Then
from holdfast.worker.outbox import events
from holdfast.worker.outbox.deliverer import Deliverer
from holdfast.worker.outbox.scrubbing import Scrubbing
from support.tape import Tape

_LARGE = '{"data":"%s"}' % ("x" * 100_000)
_TIME = "1795424525513089"


def two_large_steps(folder: RunFolder) -> None:
    (folder.path / "blobs").mkdir(exist_ok=True)
    (folder.path / "blobs" / ("a" * 64)).write_text(_LARGE)
    tape = Tape()
    tape.add(Kind.RUN_START, versions={}, timestamp=_TIME)
    for step in (str(uuid4()), str(uuid4())):
        tape.add(Kind.STEP_START, step_id=step, job_id="j", timestamp=_TIME)
        tape.add(
            Kind.STEP_COMPLETE, step_id=step, job_id="j", reason="success", timestamp=_TIME,
            output_dataclip_id=str(uuid4()), output={"blob": "a" * 64, "bytes": len(_LARGE)},
        )  # fmt: skip
    tape.add(Kind.OUTCOME, reason="success", error_type=None, error_message=None, evidence={})
    journal = Journal.create(folder.journal, max_bytes=10**6)
    for record in tape.records:
        journal.append(record.kind, record.body)
    journal.flush()
    journal.close()


class SlowChannel(FakeChannel):
    """Answers the end of the first step when the end of the second is rendered."""

    def __init__(self, run: TwinRun, rendered: threading.Semaphore) -> None:
        super().__init__(run, strict=True)
        self._rendered = rendered
        self._waits: list[asyncio.Task[None]] = []

    def push(self, event: str, payload: Payload, then: Then, *, timeout: float) -> str:
        def later(answer: object) -> None:
            self._waits.append(asyncio.create_task(self._answer_later(then, answer)))

        slow = event == STEP_COMPLETE and not self._waits
        return super().push(event, payload, later if slow else then, timeout=timeout)

    async def _answer_later(self, then: Then, answer: object) -> None:
        for _ in range(2):
            assert await asyncio.to_thread(self._rendered.acquire, timeout=5)
        then(answer)  # type: ignore[arg-type]


async def test_a_large_event_is_rendered_while_the_one_before_it_is_under_way(
    tmp_path: Path,
) -> None:
    folder = RunFolder.create(tmp_path, "run")
    two_large_steps(folder)
    run = TwinRun("run", {"jobs": [{"id": "j"}]}, b"", {})
    run.state = "claimed"
    rendered, render, whole = threading.Semaphore(0), events.render, list[Raw]()

    def seen(run_id: str, event: events.Event, *rest: object, **named: object) -> Raw:
        payload = render(run_id, event, *rest, **named)  # type: ignore[arg-type]
        if event.name == STEP_COMPLETE:
            whole.append(payload)
            rendered.release()
        return payload

    channel = SlowChannel(run, rendered)
    deliverer = Deliverer(CONFIG, folder, "run", channel, Scrubbing(), durable=None)
    with patch.object(events, "render", seen):
        assert await deliverer.deliver() is DeliveryState.COMPLETE
    assert run.final
    assert len(whole) == 2, "each once"
    assert len(run.clips) == 2
