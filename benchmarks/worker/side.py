"""The two sides that are measured: `holdfast worker`, and a built reference worker."""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from holdfast.adaptors import Store  # noqa: E402
from holdfast.engine.config import node_binary  # noqa: E402
from holdfast.testing.platform import TwinPlatform, TwinRun, one_job_plan  # noqa: E402
from support.adaptors import COMMON  # noqa: E402 - the tests' helpers are not installed
from support.worker import Worker  # noqa: E402

TRIVIAL = "fn(state => state);"
_WAIT_SECONDS = 600.0


@dataclass(frozen=True)
class Side:
    """One worker, and where it keeps its adaptors."""

    name: str
    command: tuple[str, ...] | None  # None: ours
    repo: Path

    @asynccontextmanager
    async def started(self, capacity: int = 1, **options: object) -> AsyncIterator[Session]:
        """The worker on a fresh folder, at a plain Lightning that answers strictly."""
        with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
            given = {
                "WORKER_CAPACITY": capacity, "WORKER_REPO_DIR": self.repo,
                "WORKER_LOG_LEVEL": "info", "WORKER_BACKOFF": "0.1/1",
                "WORKER_EGRESS": "lan", **options,  # the default; the tests' own is "open"
            }  # fmt: skip
            if self.command is not None:
                given["WORKER_PORT"] = _free_port()
            async with TwinPlatform() as platform:
                worker = Worker(platform, Path(name), **given)
                worker.command = [*(self.command or worker.command)]
                async with worker:
                    yield Session(platform, worker)


@dataclass(frozen=True)
class Session:
    """One worker at one platform."""

    platform: TwinPlatform
    worker: Worker

    async def ready(self) -> None:
        """Wait until it has joined the queue."""
        await self.platform.until(lambda: self.platform.joins, _WAIT_SECONDS)

    async def warm(self) -> None:
        """One run, and the time that a worker needs to have the next process ready."""
        await self.run(trivial())
        await asyncio.sleep(1.5)

    def enqueue(self, plan: dict[str, object]) -> TwinRun:
        """A run that waits to be claimed; the worker is told."""
        run = self.platform.enqueue(plan, input={"data": {}})  # type: ignore[arg-type]
        self.platform.push("worker:queue", "work-available", {})
        return run

    async def run(self, plan: dict[str, object]) -> TwinRun:
        """The run when the platform has its end, which must be a good one."""
        run = self.enqueue(plan)
        await self.ended([run])
        return run

    async def waiting(self) -> TwinRun:
        """One that is not pushed: the worker finds it."""
        run = self.platform.enqueue(trivial(), input={"data": {}})  # type: ignore[arg-type]
        await self.ended([run])
        return run

    async def restart(self) -> None:
        """End the worker and start it on the folder that it had."""
        await self.worker.end()
        self.worker.start()

    async def ended(self, runs: list[TwinRun]) -> None:
        """Wait until the platform has the end of all of them."""
        await self.platform.until(lambda: all(run.final for run in runs), _WAIT_SECONDS)
        states = {run.state for run in runs}
        assert states == {"success"}, [(run.state, run.outcome) for run in runs][:3]


def milliseconds(run: TwinRun) -> float:
    """From the claim to the accepted outcome, by the platform's clock."""
    return (run.ended_at - run.claimed_at) * 1000


def trivial() -> dict[str, object]:
    """A plan of one step with an adaptor that does nothing."""
    return plan(TRIVIAL)


def plan(body: str) -> dict[str, object]:
    """A plan of one step with an adaptor."""
    return {**one_job_plan(body, adaptor=COMMON)}


def chain(bodies: list[str]) -> dict[str, object]:
    """A plan of steps one behind the other."""
    names = [f"s{number}" for number in range(len(bodies))]
    edges = [{"source_trigger_id": "t", "target_job_id": "s0", "condition": "always"}] + [
        {"source_job_id": one, "target_job_id": two, "condition": "always"}
        for one, two in pairwise(names)
    ]
    jobs = [
        {"id": name, "name": name, "adaptor": COMMON, "body": body}
        for name, body in zip(names, bodies, strict=True)
    ]
    return {
        "triggers": [{"id": "t"}], "jobs": jobs, "edges": edges, "starting_node_id": "t",
        "options": {"run_timeout_ms": 300_000},
    }  # fmt: skip


async def ours() -> Side:
    """`holdfast worker`, its adaptor installed."""
    store = Store(ROOT / ".cache" / "adaptors")
    await store.ensure([COMMON])
    return Side("holdfast", None, store.root)


def reference(built: Path) -> Side:
    """A built `@openfn/ws-worker`: the file that Node.js starts, its package, or the checkout."""
    places = (built, built / "dist/start.js", built / "packages/ws-worker/dist/start.js")
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        message = f"{built} holds no built worker (dist/start.js)"
        raise SystemExit(message)
    repo = ROOT / ".cache" / "reference-adaptors"
    repo.mkdir(parents=True, exist_ok=True)
    return Side("reference", (str(node_binary()), str(file)), repo)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
