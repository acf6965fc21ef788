"""What agent and commands use: hand a run to a shim, follow it, cancel it. asyncio."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import struct
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from holdfast.engine.config import EngineConfig, EngineError
from holdfast.engine.frames import Control, Decoder, encode
from holdfast.engine.request import RunRequest
from holdfast.journal import Journal, JournalReader, RunFolder
from holdfast.model import bodies
from holdfast.model.json import JsonObject
from holdfast.model.outcome import Outcome
from holdfast.model.record import Kind

__all__ = [
    "Engine",
    "EngineError",
    "RunHandle",
    "RunRequest",
    "attended",
    "prepare_run",
    "start_supervisor",
]

_Result = TypeVar("_Result")
_NUMBER = struct.Struct("<Q")
_START_SECONDS = 20.0
_ANSWER_SECONDS = 60.0


class RunHandle:
    """A run that a shim has. Follow it with `progress`, read its journal meanwhile."""

    def __init__(
        self, directory: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.folder = RunFolder(directory)
        self.ended = False
        self.lost = False  # the shim went away without a word; the supervisor writes the outcome
        self.sequence = 0
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder(max_body=64 * 1024)
        self._waiting: list[tuple[int, bytes]] = []

    @classmethod
    async def attach(cls, directory: Path) -> Self:
        """Listen to a run that is under way. Raises OSError when no shim answers."""
        path = RunFolder(directory).control_socket
        folder = os.open(directory, os.O_PATH | os.O_CLOEXEC)
        try:  # a name that is short enough for the kernel, however deep the folder lies
            name = f"/proc/self/fd/{folder}/{path.name}"
            reader, writer = await asyncio.open_unix_connection(name)
        finally:
            os.close(folder)
        return cls(directory, reader, writer)

    async def progress(self) -> AsyncIterator[int]:
        """Each sequence number up to which the journal is durable, until the run has ended.

        Ends when the outcome stands (`ended`) or the shim has gone without one (`lost`).
        """
        try:
            while not (self.ended or self.lost):
                kind, body = await self._frame()
                if kind in (Control.PROGRESS, Control.ENDED):
                    self.sequence = int(_NUMBER.unpack(body)[0])
                    self.ended = kind == Control.ENDED
                    yield self.sequence
        finally:
            await self.close()

    async def outcome(self) -> Outcome:
        """Wait for the end and read the outcome. Raises EngineError if none gets written."""
        async for _ in self.progress():
            pass
        deadline = asyncio.get_running_loop().time() + _ANSWER_SECONDS
        while (found := read_outcome(self.folder.path)) is None:
            if asyncio.get_running_loop().time() > deadline:
                message = f"The run in {self.folder.path} has no outcome."
                raise EngineError(message, fix="Start the worker again: it looks after the run.")
            await asyncio.sleep(0.02)  # the supervisor is writing it
        return found

    async def cancel(self, reason: str = "") -> None:
        """Ask the shim to end the run; the outcome tells whether it came in time."""
        with suppress(OSError):
            self._writer.write(encode(Control.CANCEL, json.dumps({"reason": reason}).encode()))
            await self._writer.drain()

    async def close(self) -> None:
        """Stop listening; the run goes on."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def ask(self, request: RunRequest) -> None:
        """Wait until a shim has the run. Raises EngineError when none takes it."""
        self._writer.write(encode(Control.LAUNCH, request.encode()))
        with suppress(OSError):  # nobody listens any more: there will be no answer either
            await self._writer.drain()
        kind, body = await asyncio.wait_for(self._frame(), _ANSWER_SECONDS)
        if kind == Control.REFUSED:
            raise EngineError(str(json.loads(body).get("message")))
        if kind != Control.ACCEPTED:
            message = "The engine ended before it took the run."
            raise EngineError(message, fix="See the worker's log for the cause.")

    async def _frame(self) -> tuple[int, bytes]:
        while not self._waiting:
            try:
                data = await self._reader.read(64 * 1024)
            except OSError:
                data = b""
            if not data:
                self.lost = True
                return 0, b""
            self._waiting += self._decoder.feed(data)
        return self._waiting.pop(0)


class Engine:
    """The supervisor, as its clients see it."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    @classmethod
    async def connect(cls, socket: Path, *, patience_seconds: float = _START_SECONDS) -> Self:
        """Wait until a supervisor answers. Raises EngineError if none does."""
        engine = cls(socket)
        deadline = asyncio.get_running_loop().time() + patience_seconds
        while True:
            try:
                _, writer = await asyncio.open_unix_connection(str(socket))
            except OSError as error:
                if asyncio.get_running_loop().time() > deadline:
                    message = f"No engine answers at {socket}."
                    raise EngineError(message, fix="Start it: holdfast worker.") from error
                await asyncio.sleep(0.02)
            else:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
                return engine

    async def launch(self, request: RunRequest) -> RunHandle:
        """Hand a prepared run to a shim. Raises EngineError when it is refused."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.socket))
        except OSError as error:
            message = f"The engine at {self.socket} does not answer: {error.strerror}"
            raise EngineError(message, fix="Start it: holdfast worker.") from error
        handle = RunHandle(request.directory, reader, writer)
        try:
            await handle.ask(request)
        except BaseException:
            await handle.close()
            raise
        return handle


async def attended(handle: RunHandle, work: Coroutine[Any, Any, _Result]) -> _Result:
    """Await work on a run. Whoever is stopped here takes the run along, and has its end first."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await handle.cancel("interrupted")
        await task
        raise


def read_outcome(directory: Path) -> Outcome | None:
    """The outcome in a run's journal, if it stands there."""
    with JournalReader(RunFolder(directory).journal) as reader:
        for record in reader.read():
            if record.kind == Kind.OUTCOME:
                return Outcome.from_json(record.json())
    return None


def prepare_run(
    journals: Path,
    run_id: str,
    plan: JsonObject,
    state: JsonObject | None = None,
) -> RunFolder:
    """A run folder for a run that no platform knows (commands, tests).

    FileExistsError when there is one of this name.
    """
    folder = RunFolder.create(journals, run_id)
    folder.plan.write_text(json.dumps(plan), encoding="utf-8")
    folder.input.write_text(json.dumps({} if state is None else state), encoding="utf-8")
    with Journal.create(folder.journal) as journal:
        claimed: bodies.Claimed = {"run_id": run_id}
        journal.append(Kind.CLAIMED, bodies.encode(claimed))
        prepared: bodies.Prepared = {
            "plan_bytes": folder.plan.stat().st_size,
            "input_bytes": folder.input.stat().st_size,
        }
        journal.append(Kind.PREPARED, bodies.encode(prepared))
        journal.flush()
    return folder


@asynccontextmanager
async def start_supervisor(
    data: Path | None = None,
    *,
    configure: Callable[[EngineConfig], EngineConfig] | None = None,
    apart: bool = False,
) -> AsyncIterator[Engine]:
    """A supervisor without an agent, for a command or a test; it ends with the context, or with
    this process.

    Without `data` it works in a temporary folder that is removed. `apart`: Ctrl-C in the terminal
    does not end it. Raises EngineError.
    """
    temporary = None if data is not None else Path(tempfile.mkdtemp(prefix="holdfast-"))
    home = data if data is not None else temporary
    assert home is not None
    # Below the system's temporary folder: a data folder may lie too deep for a socket's name.
    sockets = Path(tempfile.mkdtemp(prefix="holdfast-engine-"))
    config = EngineConfig(home, sockets / "engine.sock", owner=os.getpid())
    config = configure(config) if configure else config
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "holdfast.engine.supervisor", "--config", config.to_json()),
        start_new_session=apart,
    )
    try:
        yield await _answering(process, config)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        shutil.rmtree(sockets, ignore_errors=True)
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


async def _answering(process: asyncio.subprocess.Process, config: EngineConfig) -> Engine:
    connected = asyncio.ensure_future(Engine.connect(config.socket))
    died = asyncio.ensure_future(process.wait())
    await asyncio.wait({connected, died}, return_when=asyncio.FIRST_COMPLETED)
    died.cancel()
    if not connected.done():
        connected.cancel()
        message = "The engine could not be started; its message stands above."
        raise EngineError(message)
    return await connected
