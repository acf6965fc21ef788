"""`holdfast platform`: the embedded platform alone."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import click

from holdfast import log, log_libraries
from holdfast.cli import terminal
from holdfast.cli.kinds import Place, Seconds
from holdfast.platform.serve import Listening, serve
from holdfast.platform.settings import DEFAULT_PORT, Settings


@click.command(
    "platform",
    epilog="""\b
Examples:
  holdfast platform
  holdfast platform --data ./data --port 4001
  DATABASE_URL=postgresql+psycopg://user@host/holdfast holdfast platform --host 0.0.0.0
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
@click.option("--verbose", is_flag=True, help="Log every connection.")
def platform_command(
    data: Path | None,
    host: str | None,
    port: int | None,
    public_url: str | None,
    run_timeout: float | None,
    *,
    verbose: bool,
) -> None:
    """Serve projects, webhooks, the queue, the worker socket and the web page.

    Any worker that speaks the protocol can be attached, with the secret in <data>/keys.
    """
    log.set_up("info" if verbose else "warn")
    log_libraries.capture()
    given: dict[str, Any] = {
        "data": data,
        "host": host,
        "port": port,
        "public_url": public_url,
        "run_timeout_seconds": run_timeout,
    }
    settings = Settings.from_environment(**given)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await serve(settings, on_listening=_announce, stop=stop)
    terminal.echo("stopped", err=True)


def _announce(listening: Listening) -> None:
    settings = listening.platform.settings
    for url in (listening.url, *listening.other_urls):
        terminal.echo(f"platform   {url}")
    terminal.echo(f"worker     WORKER_LIGHTNING_SERVICE_URL={listening.worker_url}")
    terminal.echo(f"           WORKER_SECRET is in {settings.data / 'keys' / 'worker-secret'}")
    terminal.echo(f"           WORKER_COLLECTIONS_URL={listening.collections_url}")
    terminal.echo(f"login      holdfast open --data {settings.data}")
