"""`holdfast pause`, `holdfast resume`, `holdfast schedule`: what a platform does by itself."""

from __future__ import annotations

from typing import Any

import click
import httpx

from holdfast.cli import terminal
from holdfast.cli.remote import DeployError, Where, call, connected, platform_options

_project = click.option("--project", help="Name or id of the workflow's project.")
_queue = click.option("--queue", is_flag=True, help="The whole queue, for administrators.")


@click.command(
    "pause",
    epilog="""\b
Examples:
  holdfast pause examples --project examples
  holdfast pause --queue
""",
)
@click.argument("workflow", required=False)
@_project
@_queue
@platform_options
def pause_command(workflow: str | None, project: str | None, *, queue: bool, where: Where) -> None:
    """Give no more runs of a WORKFLOW (name or id), or of any, to workers.

    What a worker has goes on. New runs are accepted, and wait. Its cron trigger rests.
    """
    _switch(workflow, project, "pause", where, queue=queue)


@click.command(
    "resume",
    epilog="""\b
Examples:
  holdfast resume examples --project examples
  holdfast resume --queue
""",
)
@click.argument("workflow", required=False)
@_project
@_queue
@platform_options
def resume_command(
    workflow: str | None, project: str | None, *, queue: bool, where: Where
) -> None:
    """End the pause of a WORKFLOW (name or id), or of the queue."""
    _switch(workflow, project, "resume", where, queue=queue)


def _switch(
    workflow: str | None, project: str | None, what: str, where: Where, *, queue: bool
) -> None:
    if queue == (workflow is not None):
        message = "Name a workflow, or give --queue."
        raise click.UsageError(message)
    with connected(where) as client:
        if workflow is None:
            call(client, "POST", f"/api/queue/{what}")
            terminal.echo(f"the queue: {what}d")
            return
        found = _workflow(client, workflow, project)
        call(client, "POST", f"/api/workflows/{found['id']}/{what}")
        terminal.echo(f"workflow {found['name']}: {what}d")


def _workflow(client: httpx.Client, key: str, project: str | None) -> dict[str, Any]:
    """The one workflow of this name or id. Raises DeployError."""
    by_id = call(client, "GET", f"/api/workflows/{key}", missing=True) if _is_id(key) else None
    if by_id is not None:
        return dict(by_id["data"])
    path = f"/api/projects/{project}/workflows" if project else "/api/workflows"
    found = [item for item in call(client, "GET", path, name=key)["data"] if item["name"] == key]
    if len(found) == 1:
        return dict(found[0])
    if found:
        message = f"{len(found)} workflows are called {key!r}"
        raise DeployError(message, fix="Say which project with --project, or give the id.")
    message = f"there is no workflow {key!r}"
    raise DeployError(message, fix="`holdfast pull` shows the workflows of a project.")


def _is_id(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4


@click.command("schedule", epilog="\b\nExamples:\n  holdfast schedule examples --count 5\n")
@click.argument("project")
@click.option(
    "--count", type=click.IntRange(1, 100), default=3, show_default=True, help="Times of each."
)
@platform_options
def schedule_command(project: str, *, count: int, where: Where) -> None:
    """When the cron triggers of a PROJECT are due next, in UTC."""
    with connected(where) as client:
        found = call(client, "GET", f"/api/projects/{project}/schedule", count=count)["data"]
    for item in found:
        rules = f"overlap {item['cron_overlap']}, catch-up {item['cron_catch_up']}"
        head = f"{item['workflow']}: {item['cron_expression']} {item['cron_timezone']}, {rules}"
        terminal.row(f"{head}, paused" if item["paused_at"] else head)
        for time in item["next_times"]:
            terminal.echo(f"  {time[:16].replace('T', ' ')}")
    if not found:
        terminal.echo("no enabled cron trigger")
