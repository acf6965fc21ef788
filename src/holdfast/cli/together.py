"""`holdfast platform --processes N`: several processes that serve one port and one PostgreSQL.

Each is a platform of its own, as those on other machines are; the kernel gives each connection to
one of them. This process holds the folder and the ports, makes the keys and starts again what
ends; it ends itself when none of them can start.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from prometheus_client.multiprocess import mark_process_dead

from holdfast.cli import terminal
from holdfast.cli.kept import Kept
from holdfast.model.errors import UsageError
from holdfast.platform.access.keys import load_keys
from holdfast.platform.serve import migrate, reserved
from holdfast.platform.settings import Settings

_METRICS = "PROMETHEUS_MULTIPROC_DIR"


def serve_together(settings: Settings, *, verbose: bool) -> None:
    """Keep `settings.parts` processes until a signal. Raises what one raises when it starts."""
    if settings.database.startswith("sqlite"):
        message = "--processes needs PostgreSQL: SQLite has one writer, which is one process"
        fix = "Set DATABASE_URL=postgresql+psycopg://…, or leave --processes out."
        raise UsageError(message, fix=fix)
    with reserved(settings) as ours:
        load_keys(ours.data)  # made or refused here, once, before there are several who need them
        migrate(ours)
        code = asyncio.run(_keep(ours, verbose=verbose))
    if code:
        sys.exit(code)  # the processes have said why
    terminal.note("stopped")


async def _keep(settings: Settings, *, verbose: bool) -> int:
    """0; or the exit code of a process, when none of them came to serve."""
    environment = _environment(settings)
    folder = environment[_METRICS]

    def ended(pid: int) -> None:
        mark_process_dead(pid, folder)  # type: ignore[no-untyped-call] # theirs
        if all(child.failed for child in children):
            stop()

    def stop() -> None:
        for child in children:
            child.stop()

    children = [
        Kept(f"process {part}", _arguments(settings, part, verbose=verbose), environment, ended)
        for part in range(settings.parts)
    ]
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop)
    await asyncio.gather(*(child.keep() for child in children))
    return children[0].failed if all(child.failed for child in children) else 0


def _arguments(settings: Settings, part: int, *, verbose: bool) -> list[str]:
    told: dict[str, object] = {
        "--data": settings.data,
        "--host": settings.host,
        "--port": settings.port,
        "--run-timeout": settings.run_timeout_seconds,
        "--part": part,
        "--processes": settings.parts,
    }
    if settings.public_url is not None:
        told["--public-url"] = settings.public_url
    pairs = [str(item) for pair in told.items() for item in pair]
    return ["platform", *pairs, *(["--verbose"] if verbose else [])]


def _environment(settings: Settings) -> dict[str, str]:
    """That of the processes. What they count is kept in files that all of them read."""
    counted = settings.data / "metrics"
    counted.mkdir(mode=0o700, exist_ok=True)
    for old in counted.glob("*.db"):
        old.unlink()
    ports = {"HOLDFAST_COLLECTIONS_PORT": str(settings.collections_port)}
    return {**os.environ, **ports, _METRICS: str(counted)}
