"""Where commands execute runs: an engine of their own, in a folder that goes with it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from holdfast.adaptors.errors import AutoinstallError
from holdfast.adaptors.events import Event, InstallEvent
from holdfast.adaptors.location import default_store_root
from holdfast.adaptors.store import Store
from holdfast.cli import terminal
from holdfast.cli.planfile import add_collections, pin_adaptors, plan_adaptors
from holdfast.engine.client import Engine, start_supervisor
from holdfast.engine.config import EngineConfig
from holdfast.model.errors import UsageError
from holdfast.model.json import Json, JsonObject
from holdfast.sandbox.spec import Network
from holdfast.worker.options import paths

#: What a shell says of a command that SIGTERM ended.
_TERMINATED = 128 + signal.SIGTERM
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Stage:
    """An engine, its folder with a place for journals, and the adaptors of this machine."""

    engine: Engine
    data: Path
    store: Store
    #: What plans named -> exact name, and the option for it: looked up once.
    known: dict[str, tuple[str, Json]] = field(default_factory=dict)

    @property
    def journals(self) -> Path:
        """Where folders of runs are made."""
        return self.data / "journals"

    async def install(self, plan: JsonObject) -> JsonObject:
        """Make the plan's adaptors ready and pin them in it; the engine's `adaptors` option.

        Raises UsageError.
        """
        add_collections(plan)
        wanted = plan_adaptors(plan)
        try:
            pinned = {n: await self.store.resolve(n) for n in wanted if n not in self.known}
            installed = await self.store.ensure(pinned.values(), on_event=progress)
        except AutoinstallError as error:
            raise UsageError(error.message, fix=error.fix) from None
        for name, exact in pinned.items():
            self.known[name] = (exact, installed[exact].to_option())
        pin_adaptors(plan, {name: self.known[name][0] for name in wanted})
        return dict(self.known[name] for name in wanted)


@dataclass(frozen=True, slots=True)
class Standby:
    """The runs that a process shall wait for: their memory limit, their egress policy."""

    memory_mb: int
    egress: str = "broker"

    def configured(self, config: EngineConfig) -> EngineConfig:
        """An engine that has one."""
        network = Network.OPEN if self.egress == "open" else Network.BROKER
        return replace(
            config, standby=1, standby_memory_mb=self.memory_mb, standby_network=network.value
        )


def progress(event: InstallEvent) -> None:
    """Say what takes long; what is there already costs no line."""
    words = {Event.INSTALLING: "installing", Event.RETRYING: "trying again to install"}
    if event.event in words:
        terminal.echo(f"{words[event.event]} {event.specifier} …", err=True, dim=True)


@asynccontextmanager
async def stage(*, standby: Standby | None = None, apart: bool = False) -> AsyncIterator[Stage]:
    """A stage for as long as it is needed, perhaps with a process that waits for each run.

    `apart`: it outlives a Ctrl-C, which ends one run only.
    """
    monorepos = paths(os.environ.get("OPENFN_ADAPTORS_REPO", ""))
    store = Store(default_store_root(os.environ), monorepos=monorepos)

    def configure(config: EngineConfig) -> EngineConfig:
        config = replace(config, store=store.root, log_level="warn")
        return config if standby is None else standby.configured(config)

    with tempfile.TemporaryDirectory(prefix="holdfast-run-") as temporary:
        data = Path(temporary)
        (data / "journals").mkdir(mode=0o700)
        async with start_supervisor(data, configure=configure, apart=apart) as engine:
            yield Stage(engine, data, store)


def perform(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Like asyncio.run. SIGTERM ends it as Ctrl-C does: nothing that it started stays behind."""

    async def stoppable() -> _Result:
        task = asyncio.current_task()
        assert task is not None, "asyncio.run makes one"
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(stoppable())
    except asyncio.CancelledError:
        sys.exit(_TERMINATED)
