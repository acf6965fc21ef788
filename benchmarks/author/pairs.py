"""Runs with many requests through engines that tell them, and one that does not, in turns."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from holdfast.engine.client import Engine, RunRequest, prepare_run, start_supervisor
from holdfast.engine.config import JAVASCRIPT, EngineConfig
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from holdfast.model.outcome import Reason
from support.web import Answer, serve_web

#: Requests of a run, one after the other.
REQUESTS = 50
_VALUES = [{"dataElement": f"de{n}", "value": n} for n in range(40)]
_ANSWER = {"id": "x7", "name": "Ada", "values": _VALUES}
_PROGRAM = JAVASCRIPT / "main.mjs"


async def measured(
    store: Path, adaptors: JsonObject, delay: float, times: int
) -> dict[str, list[float]]:
    """Milliseconds of each run, as `told`, `untold` and `recorded`. `delay` of an answer in ms."""

    def answer(_: object) -> Answer:
        time.sleep(delay / 1000)
        return Answer(_ANSWER)

    found: dict[str, list[float]] = {"told": [], "untold": [], "recorded": []}
    kinds = [*found]
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-")))
        web = stack.enter_context(serve_web(answer))
        seeing = await stack.enter_async_context(_engine(home / "told", store, _PROGRAM))
        blind = await stack.enter_async_context(_engine(home / "blind", store, _untold(home)))
        for turn in range(times + 1):
            random.shuffle(kinds)
            for kind in kinds:
                engine = blind if kind == "untold" else seeing
                run = _request(engine, adaptors, web.address, recorded=kind == "recorded")
                took = await _took(engine, run)
                if turn:  # the first one loads what the others find
                    found[kind].append(took)
    return found


@asynccontextmanager
async def _engine(data: Path, store: Path, program: Path) -> AsyncIterator[Engine]:
    (data / "journals").mkdir(parents=True, mode=0o700)
    socket = data / "engine.sock"

    def configure(config: EngineConfig) -> EngineConfig:
        return replace(config, socket=socket, store=store, program=program, standby=1)

    async with start_supervisor(data, configure=configure) as engine:
        yield engine


def _untold(home: Path) -> Path:
    """The engine's program without its eye on requests."""
    copy = home / "javascript"
    shutil.copytree(JAVASCRIPT, copy)
    run = copy / "run.mjs"
    text = run.read_text(encoding="utf-8")
    watching = "    this.requests.watch();\n"
    assert text.count(watching) == 1
    run.write_text(text.replace(watching, ""), encoding="utf-8")
    return copy / "main.mjs"


def _request(engine: Engine, adaptors: JsonObject, address: str, *, recorded: bool) -> RunRequest:
    (adaptor,) = adaptors
    code = "".join(f"get('{address}/api/events/{n}');\n" for n in range(REQUESTS))
    step: JsonObject = {"id": "a", "name": "a", "expression": code, "adaptors": [adaptor]}
    plan: JsonObject = {"id": "p", "workflow": {"steps": [step]}, "options": {}}
    journals = engine.socket.parent / "journals"
    folder = prepare_run(journals, uuid.uuid4().hex, plan, {"data": {}})
    options: JsonObject = {"adaptors": adaptors, "egress": "open", "record": recorded}
    return RunRequest(folder.path, folder.path.name, Limits(timeout_seconds=120), {}, options)


async def _took(engine: Engine, request: RunRequest) -> float:
    begun = time.perf_counter()
    handle = await engine.launch(request)
    outcome = await handle.outcome()
    took = (time.perf_counter() - begun) * 1000
    assert outcome.reason is Reason.SUCCESS, outcome
    return took
