"""A real engine (supervisor, shim, run process) for tests, and runs through it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from holdfast.engine.client import Engine, RunHandle, RunRequest, prepare_run
from holdfast.engine.config import EngineConfig
from holdfast.journal import JournalReader, RunFolder
from holdfast.model.json import Json, JsonObject
from holdfast.model.limits import Limits
from holdfast.model.outcome import Outcome
from holdfast.model.record import Kind

ORDINARY = Path(__file__).with_name("ordinary.py")
#: For a supervisor to answer: the emulator of `make kernel` is ten times slower.
_PATIENCE_SECONDS = 120.0
#: Where runs go, unless a test says so itself; `make lanes` runs whole suites elsewhere.
LANE = os.environ.get("HOLDFAST_TEST_LANE", "auto")
#: The capability to change one's user.
_SET_USER = 7
#: A user that owns nothing.
NOBODY = 65534
#: Generous, so that a busy machine fails no test; runs end long before. `make kernel` has an hour.
LIMITS = Limits(memory_mb=128, timeout_seconds=int(os.environ.get("HOLDFAST_TEST_SECONDS", "60")))
#: From job code to the host realm, past the vm: what every attack begins with.
ESCAPE = "const process = state.constructor.constructor('return process')();"


@dataclass(slots=True)
class Running:
    """A supervisor that was started for tests."""

    config: EngineConfig
    process: subprocess.Popen[bytes]
    user: int | None = None

    @property
    def pid(self) -> int:
        return self.process.pid


@dataclass(slots=True)
class Ended:
    """A run with its outcome and all records of its journal."""

    folder: RunFolder
    outcome: Outcome
    records: list[tuple[Kind, JsonObject]]

    def bodies(self, kind: Kind) -> list[JsonObject]:
        return [body for found, body in self.records if found is kind]

    @property
    def log(self) -> str:
        """All log lines, one per line."""
        lines = [body["message"] for body in self.bodies(Kind.LOG)]
        return "\n".join(" ".join(map(str, line)) for line in lines if isinstance(line, list))

    @property
    def evidence(self) -> JsonObject:
        return self.outcome.evidence


@contextmanager
def engine(
    data: Path,
    user: int | None = None,
    program: tuple[str, ...] = ("-m", "holdfast.engine.supervisor"),
    **changes: object,
) -> Iterator[Running]:
    """A supervisor; `changes` are fields of its config, `user` whom root starts it as."""
    with tempfile.TemporaryDirectory(prefix="hf-") as sockets:
        plain = EngineConfig(data, Path(sockets) / "engine.sock", lane=LANE)
        config = replace(plain, **changes)  # type: ignore[arg-type]
        prefix: tuple[str, ...] = ()
        if user is not None:
            prefix = (sys.executable, "-P", str(ORDINARY), str(user))
            for folder in (Path(sockets), data):
                folder.mkdir(exist_ok=True)
                os.chown(folder, user, user)
        command = [*prefix, sys.executable, *program]
        process = subprocess.Popen([*command, "--config", config.to_json()])
        try:
            asyncio.run(_answers(config.socket))
            yield Running(config, process, user)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(30)


async def _answers(socket: Path) -> None:
    await Engine.connect(socket, patience_seconds=_PATIENCE_SECONDS)


def job(code: str, **step: Json) -> JsonObject:
    """A step of a plan."""
    return {"id": "a", "name": "A", "adaptors": [], "expression": code, **step}


def prepare(
    running: Running,
    *steps: JsonObject | str,
    limits: Limits = LIMITS,
    options: JsonObject | None = None,
    state: JsonObject | None = None,
    credentials: JsonObject | None = None,
) -> RunRequest:
    """A run's folder and what asks for it to be run."""
    whole = [job(step) if isinstance(step, str) else step for step in steps]
    plan: JsonObject = {"id": "plan", "workflow": {"steps": [*whole]}, "options": {}}
    folder = prepare_run(running.config.journals, uuid.uuid4().hex, plan, state)
    if running.user is not None:
        for path in (folder.path, *folder.path.rglob("*")):
            os.chown(path, running.user, running.user)
    return RunRequest(folder.path, folder.path.name, limits, credentials or {}, options or {})


def execute(
    running: Running,
    request: RunRequest,
    during: Callable[[RunHandle], Awaitable[None]] | None = None,
) -> Ended:
    """Launch, wait for the outcome, read the journal. `during` runs once it was accepted."""

    async def go() -> Outcome:
        handle = await Engine(running.config.socket).launch(request)
        try:
            if during is not None:
                await during(handle)
            return await asyncio.wait_for(handle.outcome(), LIMITS.timeout_seconds + 30)
        finally:
            await handle.close()

    outcome = asyncio.run(go())
    return Ended(RunFolder(request.directory), outcome, read(request.directory))


def run(running: Running, *steps: JsonObject | str, **rest: object) -> Ended:
    """Prepare and execute in one go."""
    return execute(running, prepare(running, *steps, **rest))  # type: ignore[arg-type]


def read(directory: Path) -> list[tuple[Kind, JsonObject]]:
    """All records of a run's journal."""
    with JournalReader(RunFolder(directory).journal) as reader:
        return [(Kind(record.kind), record.json()) for record in reader.read()]


async def next_record(handle: RunHandle, kind: Kind) -> JsonObject:
    """The first record of this kind, once it stands in the journal."""
    for _ in range(3000):
        for found, body in read(handle.folder.path):
            if found is kind:
                return body
        await asyncio.sleep(0.02)
    message = f"no {kind.name} in {handle.folder.path}"
    raise AssertionError(message)


@pytest.fixture(scope="module")
def public_folder() -> Iterator[Path]:
    """A temporary folder that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="hf-data-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def is_root() -> bool:
    """Whether this is root who may become others: in a pod, root may not."""
    if os.geteuid() != 0:
        return False
    (row,) = [row for row in Path("/proc/self/status").read_text().splitlines() if "CapEff" in row]
    return bool(int(row.split()[1], 16) >> _SET_USER & 1)
