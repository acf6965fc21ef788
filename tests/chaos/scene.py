"""What is executed under chaos: runs whose every effect is counted from outside."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from random import Random

from holdfast.model.json import Json, JsonObject
from holdfast.testing.platform import TwinPlatform
from holdfast.testing.twin_run import TwinRun

#: Kinds of runs and the reason each ends with when nobody interferes.
KINDS = {"plain": "success", "large": "success", "chatty": "success", "fails": "fail"}


#: Each run uses one, whose secrets the platform masks.
CREDENTIAL = "5f1f8f0c-6f6d-4a53-9d0b-0d6d6a1c7c11"


class Effects:
    """A small HTTP service that counts what jobs do to the world."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            _, run, step = head.split(" ", 2)[1].split("/")
            self.counts[run, step] += 1
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass
        finally:
            writer.close()


@dataclass(slots=True)
class Expected:
    """One run of the scene."""

    run: TwinRun
    kind: str

    @property
    def reason(self) -> str:
        return KINDS[self.kind]


def enqueue(platform: TwinPlatform, effects: Effects, kind: str) -> Expected:
    """A run of two jobs, each of which touches the world once and carries the run's name."""
    secret: Json = {"password": "not-to-be-seen"}
    run = platform.enqueue(_plan(kind), input={}, credentials={CREDENTIAL: secret})
    address = f"http://127.0.0.1:{effects.port}/{run.id}"
    jobs = run.plan["jobs"]
    assert isinstance(jobs, list)
    for job in jobs:
        assert isinstance(job, dict)
        job["body"] = str(job["body"]).replace("ADDRESS", address).replace("RUN", f"<{run.id}>")
    return Expected(run, kind)


def some(random: Random, platform: TwinPlatform, effects: Effects, number: int) -> list[Expected]:
    """Runs of all kinds in random order."""
    return [enqueue(platform, effects, random.choice(list(KINDS))) for _ in range(number)]


def _plan(kind: str) -> JsonObject:
    touch = "await fetch('ADDRESS/{step}');"
    lines = 30 if kind == "chatty" else 3
    first = (
        "export default [async state => { " + touch.format(step="first")
        + f"for (let i = 0; i < {lines}; i++) console.log('RUN line', i);"
        "await new Promise(done => setTimeout(done, 20));"
        "return { data: { run: 'RUN', pad: 'x'.repeat("
        + ("200_000" if kind == "large" else "10")
        + ") } }; }];"
    )  # fmt: skip
    last = "throw new Error('RUN fails');" if kind == "fails" else "return state;"
    second = (
        "export default [async state => { " + touch.format(step="second")
        + "if (state.data.run !== 'RUN') throw new Error('STRAY' + 'STATE');"
        + last + " }];"
    )  # fmt: skip
    return {
        "triggers": [{"id": "t"}],
        "jobs": [
            {"id": "first", "name": "First", "body": first, "credential_id": CREDENTIAL},
            {"id": "second", "name": "Second", "body": second},
        ],
        "edges": [
            {"source_trigger_id": "t", "target_job_id": "first", "condition": "always"},
            {"source_job_id": "first", "target_job_id": "second", "condition": "always"},
        ],
        "starting_node_id": "t",
        "options": {"run_timeout_ms": 60_000, "run_memory_limit_mb": 200},
    }
