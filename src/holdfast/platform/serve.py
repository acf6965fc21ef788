"""Run the platform with uvicorn until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import gc
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from holdfast.journal import JournalLocked, RunLock
from holdfast.model.errors import HoldfastError
from holdfast.platform.access.connections import PatientProtocol
from holdfast.platform.access.guard import SESSION
from holdfast.platform.access.keys import DataFolderError
from holdfast.platform.access.sessions import START_LINK_SECONDS
from holdfast.platform.app import CHORES, create_app, create_collections_door
from holdfast.platform.service import Chore, Confirm, Platform, Resolve
from holdfast.platform.settings import ADDRESS_FILE, Settings
from holdfast.platform.store.accounts import FIRST_ACCOUNT
from holdfast.platform.store.database import Database, DatabaseError, is_passing
from holdfast.sandbox.hosts import own_addresses

_STOP_SECONDS = 5
#: Of every answer: a browser must take it for what it says it is, and tell no other site of it.
_HEADERS = [("x-content-type-options", "nosniff"), ("referrer-policy", "same-origin")]
#: Connections that may wait to be accepted.
_WAITING = 1024
#: Runs are here or on other machines; those use the platform's public address.
_DOOR_HOST = "127.0.0.1"


#: Addresses to listen on that stand for every address of this machine.
_EVERY = ("0.0.0.0", "::")  # noqa: S104 - compared only


class ListenError(HoldfastError):
    """The platform cannot listen where it was told to."""


class FolderInUseError(HoldfastError):
    """Another platform uses the data folder."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a started platform is to be found. Ports are the real ones when 0 was asked for."""

    host: str
    port: int
    #: The door for runs on this machine: Collections, and nothing else.
    collections_port: int
    #: Opens a session for whoever follows it first.
    login_path: str
    platform: Platform

    @property
    def url(self) -> str:
        """The address for people."""
        return self.platform.settings.public_url or self.local_url

    @property
    def other_urls(self) -> list[str]:
        """Addresses for other machines, when it listens on every address of this one."""
        if self.host not in _EVERY or self.platform.settings.public_url:
            return []
        wanted = [item for item in own_addresses() if self.host == "::" or item.version == 4]
        far = [item for item in wanted if not (item.is_loopback or item.is_link_local)]
        return [f"http://{_name(str(item))}:{self.port}" for item in sorted(far, key=str)]

    @property
    def local_url(self) -> str:
        """The address for programs on this machine."""
        host = "127.0.0.1" if self.host in _EVERY else self.host
        return f"http://{_name(host)}:{self.port}"

    @property
    def worker_url(self) -> str:
        """What a worker on this machine gets as WORKER_LIGHTNING_SERVICE_URL."""
        return f"ws{self.local_url.removeprefix('http')}/worker"

    @property
    def collections_url(self) -> str:
        """What a worker on this machine gets as WORKER_COLLECTIONS_URL."""
        return f"http://{_DOOR_HOST}:{self.collections_port}/collections"

    @property
    def login_url(self) -> str:
        """Opens the page without a typed login, once."""
        return f"{self.url.rstrip('/')}{self.login_path}"


def migrate(settings: Settings) -> None:
    """Bring the database to this version, as a start does. Raises DatabaseError."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.database, lambda _notices: None)
    database.open()
    database.close()


async def serve(
    settings: Settings,
    *,
    on_listening: Callable[[Listening], None] | None = None,
    stop: asyncio.Event | None = None,
    resolve: Resolve | None = None,
    confirm: Confirm | None = None,
    chores: Iterable[Chore] = CHORES,
) -> None:
    """Serve until `stop` is set or the task is cancelled; then end in order.

    Signals are the caller's. `on_listening` is called once, when requests are answered. Raises
    ListenError, FolderInUseError, DataFolderError, BadKeyError, DatabaseError.
    """
    with _hold(settings.data) if settings.part is None else nullcontext():
        app = create_app(settings, resolve=resolve, confirm=confirm, chores=chores)
        try:
            await _serve(app, settings, on_listening, stop or asyncio.Event())
        except Exception as error:
            if isinstance(error, HoldfastError) or not is_passing(error):
                raise
            message = f"the database went away while the platform started: {type(error).__name__}"
            raise DatabaseError(message, fix="Start it again.") from error


async def _serve(
    app: Starlette,
    settings: Settings,
    on_listening: Callable[[Listening], None] | None,
    stop: asyncio.Event,
) -> None:
    platform: Platform = app.state.platform
    shared = settings.part is not None
    with (
        _listen(settings.host, settings.port, shared=shared) as main,
        _listen_for_runs(settings) as door,
    ):
        async with (
            app.router.lifespan_context(app),
            _serving(create_collections_door(platform), settings, door) as runs,
            _serving(app, settings, main) as people,
        ):
            try:
                listening = await _listening(platform, main, door)
                _leave_address(listening)
                if on_listening is not None:
                    on_listening(listening)
                waiting = asyncio.create_task(stop.wait())
                await asyncio.wait({people, runs, waiting}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
            finally:
                platform.hub.close()


#: The writer gives the interpreter away at each statement. It must not wait long to have it back
#: while the event loop is busy: Python's own 5 ms, at 60 statements for a run, were its latency.
_SWITCH_SECONDS = 0.0005


def settle() -> None:
    """Prepare a process that serves and does nothing else, once it listens.

    What the start has made is left out of later garbage collections, which stop everything.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.collect()
    gc.freeze()


async def _listening(platform: Platform, main: socket.socket, door: socket.socket) -> Listening:
    host, port = main.getsockname()[:2]
    code = await platform.sessions.link(FIRST_ACCOUNT, START_LINK_SECONDS)
    return Listening(host, port, door.getsockname()[1], f"{SESSION}{code}", platform)


@asynccontextmanager
async def _serving(
    app: Starlette, settings: Settings, listener: socket.socket
) -> AsyncIterator[asyncio.Task[None]]:
    """An application that answers on this socket for as long as the block lasts."""
    server = _Server(_configuration(app, settings))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    listening = asyncio.create_task(server.listening.wait())
    try:
        await asyncio.wait({task, listening}, return_when=asyncio.FIRST_COMPLETED)
        yield task
    finally:
        listening.cancel()
        server.should_exit = True
        await task


def _configuration(app: Starlette, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",  # started here, so that its errors reach the caller as they are
        http=PatientProtocol.of(settings.patience_seconds),
        headers=_HEADERS,
        ws="websockets-sansio",
        ws_max_size=settings.frame_bytes,
        ws_ping_interval=settings.ping_seconds,
        ws_ping_timeout=settings.pong_seconds,
        timeout_graceful_shutdown=_STOP_SECONDS,
        server_header=False,
    )


class _Server(uvicorn.Server):
    """Leaves signals alone, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        # uvicorn declares the class that contextlib makes of its generator
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@contextmanager
def reserved(settings: Settings) -> Iterator[Settings]:
    """The folder and its ports, for processes that serve them together; which ports they are.

    Raises ListenError, FolderInUseError, DataFolderError.
    """
    with (
        _hold(settings.data),
        _reserve(settings.host, settings.port) as main,
        _reserve(_DOOR_HOST, _door_port(settings)) as door,
    ):
        ports = main.getsockname()[1], door.getsockname()[1]
        yield replace(settings, port=ports[0], collections_port=ports[1])


def _reserve(host: str, port: int) -> socket.socket:
    """A socket that keeps a port for our processes. Raises ListenError when another has it.

    The kernel shares a port among all who ask it to, also with processes of another folder. So we
    first listen alone, as nobody can where another listens or has reserved.
    """
    with _listen(host, port) as alone:
        port = alone.getsockname()[1]
    ours = _bound(host, port, shared=True)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # or another could listen alone
    return ours


def _listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket that others can connect to. `shared`: also of other processes of ours.

    Raises ListenError.
    """
    listener = _bound(host, port, shared=shared)
    try:
        listener.listen(_WAITING)  # only now nobody else can have the port
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from error
    return listener


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    """Raises ListenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol must be named: asyncio sets TCP_NODELAY only where it is
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:  # the kernel gives each connection to one of those who listen
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from error
    listener.set_inheritable(False)
    return listener


def _hold(data: Path) -> RunLock:
    """Keep a data folder to ourselves: two platforms would take each other's runs and address.

    Raises FolderInUseError, DataFolderError.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return RunLock(data / "platform.lock")
    except JournalLocked as error:
        message = f"Another platform uses the data folder {data}{_whereabouts(data)}."
        fix = "End it, or give this one a folder of its own with --data."
        raise FolderInUseError(message, fix=fix) from error
    except OSError as error:
        raise DataFolderError.of(data, error) from error


def _whereabouts(data: Path) -> str:
    """Where the platform of a data folder listens, in words; empty while that is not known."""
    try:
        address = json.loads((data / ADDRESS_FILE).read_text())
        return f": process {address['pid']}, {address['url']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _listen_for_runs(settings: Settings) -> socket.socket:
    """The door's socket: on the port of last time if nobody has it, as runs may know it."""
    if settings.collections_port is not None:
        shared = settings.part is not None
        return _listen(_DOOR_HOST, settings.collections_port, shared=shared)
    try:
        return _listen(_DOOR_HOST, _last_door(settings.data))
    except ListenError:
        return _listen(_DOOR_HOST, 0)


def _door_port(settings: Settings) -> int:
    """The door's port for several processes: any where nobody has chosen one."""
    return settings.collections_port or 0


def _last_door(data: Path) -> int:
    """The door's port when this folder was served last; 0 if that is not known."""
    try:
        port = json.loads((data / ADDRESS_FILE).read_text())["collections_port"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return port if isinstance(port, int) and 0 <= port <= 65535 else 0


def _leave_address(listening: Listening) -> None:
    """Tell commands on this machine where the platform of this data folder listens."""
    path = listening.platform.settings.data / ADDRESS_FILE
    shared = listening.platform.settings.part is not None
    told = {
        "url": listening.local_url,
        "pid": os.getppid() if shared else os.getpid(),
        "collections_port": listening.collections_port,
    }
    path.write_text(json.dumps(told))


def _cannot_listen(host: str, port: int, error: OSError) -> ListenError:
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        message = f"port {port} is in use on {host}"
        return ListenError(message, fix="Stop what uses it, or choose another with --port.")
    if error.errno == errno.EACCES:
        message = f"not allowed to listen on {where}"
        return ListenError(message, fix="Choose a port above 1023 with --port.")
    message = f"cannot listen on {where}: {error.strerror or error}"
    return ListenError(message, fix="Check --host: it must be an address of this machine.")


def _name(host: str) -> str:
    return f"[{host}]" if ":" in host else host
