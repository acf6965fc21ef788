"""`holdfast platform`: the embedded platform alone."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import click

from holdfast import log, log_libraries
from holdfast.cli import terminal
from holdfast.cli.backup import backup_command, restore_command, verify_command
from holdfast.cli.deploy import call
from holdfast.cli.kinds import Place, Seconds
from holdfast.cli.together import serve_together
from holdfast.cli.users import connected, where
from holdfast.platform.serve import Listening, migrate, serve, settle
from holdfast.platform.settings import DEFAULT_PORT, Settings


@click.group(
    "platform",
    invoke_without_command=True,
    epilog="""\b
Examples:
  holdfast platform
  holdfast platform --data ./data --port 4001
  DATABASE_URL=postgresql+psycopg://user@host/holdfast holdfast platform --host 0.0.0.0
  DATABASE_URL=postgresql+psycopg://user@host/holdfast holdfast platform --processes 4
  holdfast platform rotate-key
  holdfast platform backup holdfast.backup --keys holdfast.keys
""",
)
@click.option("--data", type=Place(), help="Data folder: database and keys.")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help=f"Port; 0: any.  [default: {DEFAULT_PORT}]"
)
@click.option("--public-url", help="How people reach the page, where a proxy is in front.")
@click.option(
    "--run-timeout", type=Seconds(1, least_excluded=False), help="Seconds a run may take."
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    help="Processes that serve the port together; more than one needs PostgreSQL.  [default: 1]",
)
@click.option("--part", type=int, hidden=True)  # its number, given to each of several processes
@click.option("--verbose", is_flag=True, help="Log every connection.")
@click.pass_context
def platform_command(
    context: click.Context,
    *,
    data: Path | None,
    host: str | None,
    port: int | None,
    public_url: str | None,
    run_timeout: float | None,
    processes: int,
    part: int | None,
    verbose: bool,
) -> None:
    """Serve projects, webhooks, the queue, the worker socket and the web page.

    Any worker that speaks the protocol can be attached, with the secret in <data>/keys.
    """
    if context.invoked_subcommand is not None:
        return
    log.set_up("info" if verbose else "warn")
    log_libraries.capture()
    given: dict[str, Any] = {
        "data": data,
        "host": host,
        "port": port,
        "public_url": public_url,
        "run_timeout_seconds": run_timeout,
        "part": part,
        "parts": processes,
    }
    settings = Settings.from_environment(**given)
    if processes > 1 and part is None:
        serve_together(settings, verbose=verbose)
    else:
        asyncio.run(_serve(settings))


@platform_command.command("migrate")
@click.option("--data", type=Place(), help="Data folder, where the database is in it.")
def migrate_command(data: Path | None) -> None:
    """Bring the database to this version, before platforms of it start.

    A platform does so itself when it starts; with several, let one do it first.
    """
    migrate(Settings.from_environment(data=data))
    terminal.echo("the database is up to date")


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await serve(settings, on_listening=_announce, stop=stop)
    if settings.part is None:
        terminal.note("stopped")


def _announce(listening: Listening) -> None:
    settle()
    settings = listening.platform.settings
    if settings.part:
        return  # the first of them says it for all
    for url in (listening.url, *listening.other_urls):
        terminal.echo(f"platform   {url}")
    terminal.echo(f"worker     WORKER_LIGHTNING_SERVICE_URL={listening.worker_url}")
    terminal.echo(f"           WORKER_SECRET is in {settings.data / 'keys' / 'worker-secret'}")
    terminal.echo(f"           WORKER_COLLECTIONS_URL={listening.collections_url}")
    terminal.echo(f"login      holdfast open --data {settings.data}")


@platform_command.command(
    "rotate-key",
    epilog="""\b
Examples:
  holdfast platform rotate-key
  holdfast platform backup holdfast.backup --keys holdfast.keys
  holdfast platform rotate-key --only-seal
""",
)
@click.option(
    "--only-seal", is_flag=True, help="Make no new key: seal with today's what an old one has."
)
@where
def rotate_command(
    url: str | None, token: str | None, data: Path | None, *, only_seal: bool
) -> None:
    """Give a running platform a new encryption key, and seal all secrets with it.

    Nothing stops meanwhile. The old key stays in keys/former-encryption-keys, as backups of the
    database need it: remove the file when none is left.
    """
    with connected(url, token, data) as client:
        done = call(client, "POST", "/api/keys/rotate", {"only_seal": only_seal})["data"]
    terminal.echo(f"key {done['key']}: {done['sealed']} secrets sealed")


for _command in (backup_command, verify_command, restore_command):
    platform_command.add_command(_command)
