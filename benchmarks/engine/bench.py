"""An engine of one's own, runs through it, and figures with their bars beside them."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from holdfast.engine.client import Engine, RunHandle, RunRequest, prepare_run, start_supervisor
from holdfast.engine.config import EngineConfig
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from holdfast.model.outcome import Outcome
from holdfast.sandbox import processes
from holdfast.sandbox.finder import Groups

TRIVIAL = "export default [state => ({ ...state, n: 1 })]"
NO_WALLS = frozenset(
    {"namespaces", "network-namespace", "own-uid", "landlock", "seccomp", "egress-broker"}
    | {"node-permissions"}
)


class Bench:
    """One engine and runs through it."""

    def __init__(self, engine: Engine, data: Path) -> None:
        self.engine = engine
        self.data = data

    def request(self, code: str, limits: Limits) -> RunRequest:
        plan: JsonObject = {
            "id": "p",
            "workflow": {"steps": [{"id": "a", "name": "A", "adaptors": [], "expression": code}]},
        }
        folder = prepare_run(self.data / "journals", uuid.uuid4().hex, plan, {"data": {}})
        return RunRequest(folder.path, folder.path.name, limits)

    async def launch(self, code: str, limits: Limits | None = None) -> RunHandle:
        return await self.engine.launch(self.request(code, limits or Limits()))

    async def run(self, code: str, limits: Limits | None = None) -> tuple[float, Outcome, Path]:
        """Milliseconds from the request to the durable outcome."""
        request = self.request(code, limits or Limits())
        begun = time.perf_counter()
        handle = await self.engine.launch(request)
        outcome = await handle.outcome()
        return (time.perf_counter() - begun) * 1000, outcome, request.directory

    @property
    def supervisor(self) -> int:
        """The process id of this engine's supervisor."""
        for pid in processes.children(os.getpid()):
            if str(self.data) in Path(f"/proc/{pid}/cmdline").read_text():
                return pid
        raise AssertionError


class With:
    """`async with With(standby=2) as bench:` starts an engine with these settings."""

    def __init__(self, **changes: object) -> None:
        self._changes = changes

    async def __aenter__(self) -> Bench:
        self._data = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
        changes = self._changes
        configure: Callable[[EngineConfig], EngineConfig] = lambda c: replace(c, **changes)  # type: ignore[arg-type]  # noqa: E731
        Groups()  # moves this process to where the agent would be, beside the supervisor
        self._context = start_supervisor(self._data, configure=configure)
        return Bench(await self._context.__aenter__(), self._data)

    async def __aexit__(self, *_: object) -> None:
        await self._context.__aexit__(None, None, None)
        shutil.rmtree(self._data, ignore_errors=True)
