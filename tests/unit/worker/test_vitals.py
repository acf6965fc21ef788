"""When a worker tells how it is."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from holdfast.model.json import Json, JsonObject
from holdfast.protocol.vitals import VITALS, offer
from holdfast.worker.agent.report import Report
from holdfast.worker.agent.vitals import Vitals, isolation_from
from holdfast.worker.connection import AnswerLost, Channel


class Queue:
    """A channel that notes what is asked."""

    def __init__(self, response: Json) -> None:
        self.joined, self.response = True, response
        self.asked: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.lost = False

    async def request(self, event: str, payload: JsonObject, _seconds: float) -> Json:
        self.asked.put_nowait((event, payload))
        if self.lost:
            raise AnswerLost(None)
        return {}


class Told(Vitals):
    """Looks at nothing."""

    async def look(self) -> JsonObject:
        return {"isolation": "full"}


def told() -> Told:
    async def turn() -> None:
        return None

    agent = SimpleNamespace(idle=SimpleNamespace(turn=turn))
    return Told(cast("Report", SimpleNamespace(agent=agent)), {}, settle_seconds=0)


async def test_a_platform_that_asks_is_told_at_each_join_also_after_a_lost_answer() -> None:
    queue, vitals = Queue(offer(3600)), told()
    task = asyncio.create_task(vitals.run(cast("Channel", queue)))
    assert await asyncio.wait_for(queue.asked.get(), 10) == (VITALS, {"isolation": "full"})
    queue.lost = True
    for _ in range(2):
        vitals.changed()
        await asyncio.wait_for(queue.asked.get(), 10)
    assert not task.done()
    task.cancel()


@pytest.mark.parametrize("response", [{}, "ok", {"holdfast": {"window": 64}}])
async def test_another_platform_is_told_nothing(response: Json) -> None:
    queue, vitals = Queue(response), told()
    task = asyncio.create_task(vitals.run(cast("Channel", queue)))
    for _ in range(3):
        vitals.changed()
        await asyncio.sleep(0)
    assert queue.asked.empty()
    queue.response, queue.joined = offer(10), False  # lost meanwhile
    vitals.changed()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert queue.asked.empty()
    assert not task.done()
    task.cancel()


@pytest.mark.parametrize("text", [None, "", "{", "[]"])
def test_a_supervisor_may_say_nothing_of_its_host(text: str | None) -> None:
    assert isolation_from({} if text is None else {"HOLDFAST_ISOLATION": text}) == {}
