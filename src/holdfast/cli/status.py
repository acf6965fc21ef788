"""`holdfast status`: what a worker is doing, from its own health port."""

from __future__ import annotations

import json
import time
from typing import Any

import click
import httpx

from holdfast.cli import terminal
from holdfast.model.errors import UsageError

_CLEAR = "\033[H\033[J"
_WATCH_SECONDS = 1.0


@click.command(
    "status",
    epilog="Exit codes: 0 ready, 1 not ready (the reasons are shown), 2 no worker answers.",
)
@click.option("--url", help="Where the worker's health port is.  [http://127.0.0.1:WORKER_PORT]")
@click.option("--port", default=2222, envvar="WORKER_PORT", show_envvar=True, help="Its port.")
@click.option("--watch", is_flag=True, help="Show it again every second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print the worker's own document.")
@click.pass_context
def status_command(
    context: click.Context, url: str | None, port: int, *, watch: bool, as_json: bool
) -> None:
    """Show connection, workloops, runs and what is undelivered.

    \b
    holdfast status
    holdfast status --watch
    holdfast status --json | jq .oldest_undelivered_seconds
    """
    base = url or f"http://127.0.0.1:{port}"
    while True:
        found = _ask(base)
        text = json.dumps(found, indent=2) if as_json else "\n".join(_lines(found))
        if watch:
            click.echo(_CLEAR, nl=False)
        terminal.echo(text)
        if not watch:
            context.exit(0 if found["ready"] else 1)
        time.sleep(_WATCH_SECONDS)


def _ask(base: str) -> dict[str, Any]:
    try:
        # Never through a proxy: it is this machine, or one beside it.
        secure = httpx.URL(base).scheme == "https"  # reading certificates takes 30 ms
        with httpx.Client(base_url=base, timeout=5, trust_env=False, verify=secure) as client:
            answer = client.get("/status")
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        message = f"No worker answers at {base}: {type(error).__name__}."
        fix = "Give its health port with --port (the log says it as worker.started port=…)."
        raise UsageError(message, fix=fix) from error
    return found


def _lines(found: dict[str, Any]) -> list[str]:
    ready = "ready" if found["ready"] else "not ready: " + "; ".join(found["reasons"])
    lines = [
        f"{found['worker']} {found['version']} at {found['platform']}: {ready}",
        (
            f"  up {_time(found['uptime_seconds'])}, egress {found['egress']}, "
            f"{found['disk_free_mb']} MB of disk free"
        ),
        (
            f"  undelivered: {found['undelivered']} runs, the oldest ended "
            f"{_time(found['oldest_undelivered_seconds'])} ago"
        ),
    ]
    for loop in found["workloops"]:
        name = ">".join(loop["queues"])
        claiming = ", claiming" if loop["claims"] else ""
        lines.append(f"  {name:24} {loop['runs']} of {loop['slots']} slots{claiming}")
    for run in found["runs"]:
        why = f" (waits for {run['why']})" if run["why"] else ""
        lines.append(f"  {run['id']}  {run['stage']:10} {_time(run['seconds'])}{why}")
    return lines


def _time(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
