"""`holdfast runs bulk`: retry or cancel many runs, chosen by filters."""

from __future__ import annotations

import json
import time
from typing import Any

import click
import httpx

from holdfast.cli import terminal
from holdfast.cli.remote import Where, call, connected, platform_options
from holdfast.cli.runfilters import Query, filter_options, query_of

_LOOK_SECONDS = 0.5


@click.group("bulk")
def bulk_group() -> None:
    """Retry or cancel many runs of a project.

    The platform works them off step by step, and goes on after a restart.

    \b
    holdfast runs bulk retry --project examples --error-type TimeoutError --dry-run
    """


@bulk_group.command("retry")
@filter_options
@click.option("--dry-run", is_flag=True, help="Only count the runs.")
@click.option("--wait", is_flag=True, help="Go on until all is done.")
@platform_options
def retry_command(filters: Query, *, dry_run: bool, wait: bool, where: Where) -> None:
    """Retry runs that ended without success, or those that the options choose.

    Of each work order only its newest run is retried.
    """
    _begin("retry", filters, where, dry_run=dry_run, wait=wait)


@bulk_group.command("cancel")
@filter_options
@click.option("--dry-run", is_flag=True, help="Only count the runs.")
@click.option("--wait", is_flag=True, help="Go on until all is done.")
@platform_options
def cancel_command(filters: Query, *, dry_run: bool, wait: bool, where: Where) -> None:
    """Cancel runs that have not ended, or those of them that the options choose."""
    _begin("cancel", filters, where, dry_run=dry_run, wait=wait)


@bulk_group.command("ls")
@click.option("--project", required=True, help="Name or id of the project.")
@platform_options
def ls_command(project: str, *, where: Where) -> None:
    """What was begun, the newest first, with its progress."""
    with connected(where) as client:
        for told in call(client, "GET", f"/api/projects/{project}/bulk_actions")["data"]:
            _tell(told)


@bulk_group.command("stop")
@click.argument("key", metavar="ID")
@click.option("--project", required=True, help="Name or id of the project.")
@platform_options
def stop_command(key: str, project: str, *, where: Where) -> None:
    """Do no more of it. What is done stays done."""
    with connected(where) as client:
        _tell(call(client, "POST", f"/api/projects/{project}/bulk_actions/{key}/stop")["data"])


def _begin(action: str, filters: Query, where: Where, *, dry_run: bool, wait: bool) -> None:
    project = filters.get("project")
    if project is None:
        message = "Name the project: --project."
        raise click.UsageError(message)
    with connected(where) as client:
        query = query_of(client, filters)
        path = f"/api/projects/{query.pop('project_id')}/bulk_actions"
        body: dict[str, Any] = {"action": action, "filters": query, "dry_run": dry_run}
        told = call(client, "POST", path, body)["data"]
        if dry_run:
            terminal.echo(f"{_total(told)} runs")
            return
        _tell(_ended(client, path, told["id"]) if wait else told)


def _ended(client: httpx.Client, path: str, key: str) -> dict[str, Any]:
    while True:
        told: dict[str, Any] = call(client, "GET", f"{path}/{key}")["data"]
        if told["state"] != "running":
            return told
        time.sleep(_LOOK_SECONDS)


def _total(told: dict[str, Any]) -> str:
    return f"{'' if told['total_exact'] else 'at least '}{told['total']}"


def _tell(told: dict[str, Any]) -> None:
    filters = json.dumps(told["filters"], ensure_ascii=False)
    terminal.row(
        f"{told['id']}  {told['action']}  {told['state']}  {told['done']} done,"
        f" {told['skipped']} skipped, of {_total(told)}  {filters}"
    )
    if told["problem"]:
        terminal.row(f"    {told['problem']}")
