"""How this worker is, for a platform that asks for it (`protocol/vitals.py`)."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from holdfast import log
from holdfast.engine.zygote.kinds import serving
from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject
from holdfast.model.limits import MEBIBYTE
from holdfast.protocol.vitals import MOST, VITALS, offered
from holdfast.worker.agent import usage
from holdfast.worker.connection import Channel
from holdfast.worker.run.preparation import node_version

if TYPE_CHECKING:
    from holdfast.worker.agent.report import Report

#: What the supervisor has found out about the host, as JSON.
ISOLATION_VARIABLE = "HOLDFAST_ISOLATION"
#: The store is read again after so many reports: it changes seldom, and takes a while.
_STORE_EVERY = 30
_ANSWER_SECONDS = 10.0


def isolation_from(environment: Mapping[str, str]) -> JsonObject:
    """What the supervisor says; empty where none does."""
    with suppress(ValueError):
        found = json.loads(environment.get(ISOLATION_VARIABLE, ""))
        if isinstance(found, dict):
            return found
    return {}


@dataclass
class Vitals:
    """`run` tells until it is cancelled; `changed`: the queue was joined, or lost."""

    report: Report
    isolation: JsonObject
    #: After a join, so that the first runs have the processor.
    settle_seconds: float = 1.0
    _poked: asyncio.Event = field(default_factory=asyncio.Event)
    _told: int = 0
    _adaptors: list[str] = field(default_factory=list)

    def changed(self) -> None:
        self._poked.set()

    async def run(self, queue: Channel) -> None:
        while True:
            self._poked.clear()
            seconds = offered(queue.response) if queue.joined else None
            if seconds is not None:
                await self._tell(queue)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._poked.wait()
                await asyncio.sleep(self.settle_seconds)

    async def _tell(self, queue: Channel) -> None:
        """Once. A platform that does not take it is asked again next time."""
        await self.report.agent.idle.turn()
        try:
            payload = await self.look()
            await queue.request(VITALS, payload, _ANSWER_SECONDS)
        except (HoldfastError, OSError) as error:
            log.debug("vitals.not_told", why=error)

    async def look(self) -> JsonObject:
        """All of it. What takes a while is looked up beside the event loop."""
        report, agent = self.report, self.report.agent
        config, running, reasons = agent.config, report.running(), report.reasons()
        if self._told % _STORE_EVERY == 0:
            store = agent.services.store
            found = await asyncio.to_thread(store.installed)
            self._adaptors = [f"{record.name}@{record.version}" for _, record in found]
        self._told += 1
        memory = await asyncio.to_thread(usage.look, running, os.getppid())
        zygotes = await asyncio.to_thread(serving, config.data)
        undelivered = agent.undelivered, round(report.oldest_undelivered(), 1)
        return {
            "ready": not reasons,
            "draining": agent.draining,
            "reasons": list(reasons),
            "uptime_seconds": report.uptime_seconds(),
            "processors": os.cpu_count(),
            "load": [round(load, 2) for load in os.getloadavg()],
            **_machine(),
            "runs_memory_mb": sum(memory.runs.values()) // MEBIBYTE,
            "standby_memory_mb": memory.standby // MEBIBYTE,
            "memory_budget_mb": config.memory_budget_mb,
            "disk_free_mb": report.disk_free() // MEBIBYTE,
            "undelivered": undelivered[0],
            "oldest_undelivered_seconds": undelivered[1],
            "egress": config.egress_policy,
            **self.isolation,
            "zygotes": cast("list[Json]", zygotes),
            "node": node_version(),
            "adaptors": list(self._adaptors[:MOST]),
            "adaptor_count": len(self._adaptors),
        }


def _machine() -> JsonObject:
    """Memory of the machine; nothing where it cannot be seen."""
    told: dict[str, int] = {}
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            name, _, rest = line.partition(":")
            told[name] = int(rest.split()[0]) // 1024
    return {
        "machine_memory_mb": told.get("MemTotal"),
        "machine_memory_free_mb": told.get("MemAvailable"),
    }
