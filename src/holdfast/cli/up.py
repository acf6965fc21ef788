"""`holdfast up`: platform and bundled worker, the whole product from one command."""

from __future__ import annotations

import asyncio
import base64
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives import serialization

from holdfast import log, log_libraries
from holdfast.adaptors.location import default_store_root
from holdfast.cli import terminal
from holdfast.cli.kept import Kept
from holdfast.cli.kinds import Place, Seconds
from holdfast.engine.config import EngineError
from holdfast.paths import data_folder
from holdfast.platform.serve import Listening, serve, settle
from holdfast.platform.settings import DEFAULT_PORT, Settings
from holdfast.sandbox.egress import option_of


def worker_environment(listening: Listening, given: dict[str, str | None]) -> dict[str, str]:
    """The environment of the bundled worker; what the caller's names is kept."""
    settings = listening.platform.settings
    keys = listening.platform.keys
    pem = keys.run_public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    own = {
        "WORKER_LIGHTNING_SERVICE_URL": listening.worker_url,
        "WORKER_SECRET": keys.worker_secret,
        "WORKER_LIGHTNING_PUBLIC_KEY": base64.b64encode(pem).decode(),
        "WORKER_COLLECTIONS_URL": listening.collections_url,
        "HOLDFAST_DATA": str(settings.data / "worker"),
    }
    defaults = {
        "WORKER_NAME": "bundled",
        "WORKER_PORT": "0",
        "WORKER_HOST": "127.0.0.1",
        "WORKER_EGRESS": "public",
        "WORKER_REPO_DIR": str(default_store_root(os.environ, settings.data)),
    }
    named = {key: value for key, value in given.items() if value is not None}
    return {**defaults, **os.environ, **own, **named}


async def _up(settings: Settings, given: dict[str, str | None], *, worker: bool) -> int:
    loop = asyncio.get_running_loop()
    stop_platform = asyncio.Event()
    bundled: list[Kept] = []
    keeping: list[asyncio.Task[None]] = []

    def listening(where: Listening) -> None:
        announce(where)
        settle()
        if worker:
            bundled.append(Kept("worker", ["worker"], worker_environment(where, given)))
            keeping.append(loop.create_task(bundled[0].keep()))
            keeping[0].add_done_callback(lambda _: stop_platform.set())

    def stop() -> None:
        if not bundled:
            stop_platform.set()
            return
        bundled[0].stop()
        terminal.note("stopping: waiting for running runs (Ctrl-C again hurries)")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    terminal.echo("starting the platform", err=True)
    await serve(settings, on_listening=listening, stop=stop_platform)
    for task in keeping:
        await task
    terminal.note("stopped")
    return 0


def require(level: str | None, data: Path) -> None:
    """Raises EngineError when runs would be less isolated here than `level` says.

    Asked of a process of its own, as looking moves a process between control groups.
    """
    if not level:
        return
    command = ("doctor", "--require", level, "--data", str(data))
    asked = subprocess.run(
        (sys.executable, "-m", "holdfast.cli.main", *command),
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        error, _, fix = asked.stderr.strip().partition("\n")
        if not error.startswith("error: "):
            said = asked.stderr.strip().splitlines()[-1:]
            error = f"`holdfast doctor` ended with code {asked.returncode}. {' '.join(said)}"
            fix = "Run it: it says what is missing on this machine."
        raise EngineError(error.removeprefix("error: ").strip(), fix=fix.strip() or None)


def announce(listening: Listening) -> None:
    """Say where everything is, once it answers."""
    settings = listening.platform.settings
    terminal.echo(f"Holdfast is ready: {listening.url}")
    for url in listening.other_urls:
        terminal.echo(f"  also    {url}")
    terminal.echo(f"  data    {settings.data}")
    ours = settings.data == data_folder(os.environ)
    named = "" if ours else f" --data {shlex.quote(str(settings.data))}"
    terminal.echo(f"  deploy  holdfast deploy project.yaml{named}")
    terminal.echo(f"  login   {listening.login_url}")
    terminal.echo(f"          good once and for one hour; `holdfast open{named}` makes another")


@click.command(
    "up",
    epilog="""\b
Examples:
  holdfast up
  holdfast up --data ./data --port 4001 --capacity 2
  holdfast up --no-worker        (then attach workers of any make)
""",
)
@click.option("--data", type=Place(), help="Data folder.  [~/.holdfast]")
@click.option("--host", help="Address to listen on.  [127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help=f"0 takes any.  [{DEFAULT_PORT}]")
@click.option("--public-url", help="How people reach the page, where a proxy is in front.")
@click.option("--no-worker", is_flag=True, help="Leave the bundled worker out.")
@click.option("--capacity", type=click.IntRange(1), help="Runs at a time.  [5]")
@click.option(
    "--run-timeout", type=Seconds(1, least_excluded=False), help="Seconds per run.  [300]"
)
@click.option("--run-memory", type=click.IntRange(64), help="Mebibytes per run.  [500]")
@click.option(
    "--egress",
    help="What runs may reach: open, lan (public and private networks), public (default), none,"
    " or a list with commas: hosts, host:port, 10.0.0.0/8; `lan` or `public` may be on it.",
)
@click.option(
    "--require-isolation",
    "isolation",
    type=click.Choice(["basic", "strong", "full"]),
    help="Refuse to start below this level (see holdfast doctor).",
)
@click.option(
    "--process-per-step",
    is_flag=True,
    help="Each step of a run in a process of its own, with the credential of that step only.",
)
@click.option("--verbose", is_flag=True, help="Log every connection.")
def up_command(
    *,
    data: Path | None,
    host: str | None,
    port: int | None,
    public_url: str | None,
    no_worker: bool,
    capacity: int | None,
    run_timeout: float | None,
    run_memory: int | None,
    egress: str | None,
    isolation: str | None,
    process_per_step: bool,
    verbose: bool,
) -> int:
    """Serve the platform on SQLite and run its workflows, on this machine, until stopped.

    SIGTERM or Ctrl-C finishes the runs under way, then ends.
    """
    log.set_up("info" if verbose else "warn")
    log_libraries.capture()
    platform: dict[str, Any] = {
        "data": data,
        "host": host,
        "port": port,
        "public_url": public_url,
        "run_timeout_seconds": run_timeout,
        "run_memory_mb": run_memory,
    }
    settings = Settings.from_environment(**platform)
    worker: dict[str, str | None] = {
        "WORKER_CAPACITY": None if capacity is None else str(capacity),
        "WORKER_MAX_RUN_MEMORY_MB": None if run_memory is None else str(run_memory),
        "WORKER_MAX_RUN_DURATION_SECONDS": None if run_timeout is None else str(run_timeout),
        "WORKER_EGRESS": egress,
        "WORKER_REQUIRE_ISOLATION": isolation,
        "WORKER_PROCESS_PER_STEP": "true" if process_per_step else None,
    }
    if not no_worker:
        option_of(egress or os.environ.get("WORKER_EGRESS") or "public")
        require(isolation or os.environ.get("WORKER_REQUIRE_ISOLATION"), settings.data)
    return asyncio.run(_up(settings, worker, worker=not no_worker))
