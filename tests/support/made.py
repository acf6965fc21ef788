"""Makes mistakes through a whole engine, several at a time."""

from __future__ import annotations

import asyncio

from holdfast.engine.client import Engine
from holdfast.journal import RunFolder
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from support.engine import Ended, Running, job, prepare, read
from support.mistakes import COMMON, Mistake

#: Runs at a time.
_AT_ONCE = 3


def made(
    running: Running, mistakes: list[Mistake], places: dict[str, str], known: JsonObject
) -> dict[str, Ended]:
    """Each mistake by its name, with its ended run. `places`: what words in the code stand for."""
    return asyncio.run(_made(running, mistakes, places, known))


async def _made(
    running: Running, mistakes: list[Mistake], places: dict[str, str], known: JsonObject
) -> dict[str, Ended]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def make(mistake: Mistake) -> tuple[str, Ended]:
        code = mistake.code
        for word, place in places.items():
            code = code.replace(word, place)
        first = job(code, adaptors=[mistake.adaptor], **mistake.step)
        steps = [first, job("fn(s => s)", id="b", name="B", adaptors=[COMMON])]
        request = prepare(
            running,
            *steps[: 2 if "next" in mistake.step else 1],
            limits=Limits(memory_mb=mistake.memory, timeout_seconds=mistake.timeout),
            options={"adaptors": known, "egress": mistake.egress},
            state=mistake.state,
            credentials={"a": mistake.credential} if mistake.credential else None,
        )
        async with gate:
            handle = await Engine(running.config.socket).launch(request)
            outcome = await asyncio.wait_for(handle.outcome(), 90)
        return mistake.name, Ended(RunFolder(request.directory), outcome, read(request.directory))

    return dict(await asyncio.gather(*map(make, mistakes)))
