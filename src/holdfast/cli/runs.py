"""`holdfast runs` and `holdfast workorders`: what a platform has done and does."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import click
import httpx

from holdfast.cli import terminal
from holdfast.cli.remote import DeployError, Where, call, connected, platform_options
from holdfast.cli.repeats import seen_here, tell_repeats
from holdfast.cli.runbulk import bulk_group
from holdfast.cli.runfilters import Query, filter_options, limit_option, listed
from holdfast.diagnosis.near import listed as words
from holdfast.model.outcome import RunState
from holdfast.paths import data_folder

#: Between two looks at a log that is followed.
_FOLLOW_SECONDS = 1.0
_COLORS = {"success": "green", "started": "blue", "claimed": "blue", "available": None}
_LEVELS = {"error": "red", "warn": "yellow", "debug": "bright_black"}

json_option = click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")


@click.group("runs")
def runs_group() -> None:
    """Runs of a platform, newest first.

    An id may be shortened to its beginning, as `ls` shows it.

    \b
    holdfast runs ls --state failed
    """


@runs_group.command("ls")
@filter_options
@limit_option
@platform_options
@json_option
def ls_command(filters: Query, limit: int, *, where: Where, as_json: bool) -> None:
    """List runs."""
    with connected(where) as client:
        found = listed(client, "runs", limit, filters)
    _print_list(found, as_json=as_json)


@click.command(
    "workorders",
    epilog="""\b
Examples:
  holdfast workorders --limit 5
  holdfast workorders --state failed --workflow Referrals
""",
)
@filter_options
@limit_option
@platform_options
@json_option
def workorders_command(filters: Query, limit: int, *, where: Where, as_json: bool) -> None:
    """List work orders of a platform: each is one request, with one or more runs.

    The kind of error, worker, duration and memory are those of one of its runs.
    """
    with connected(where) as client:
        found = listed(client, "work_orders", limit, filters)
    _print_list(found, as_json=as_json)


@runs_group.command("search")
@click.argument("text")
@click.option("--in", "kinds", help="Only there: log, input, output; several with commas.")
@filter_options
@limit_option
@platform_options
@json_option
def search_command(
    text: str, kinds: str | None, filters: Query, limit: int, *, where: Where, as_json: bool
) -> None:
    """Find runs that have ended by words of their log, input or output, or by an id.

    All words must be in one place. A word that ends with * is a beginning.
    """
    asked = {**filters, "q": text, **({"in": kinds} if kinds else {})}
    with connected(where) as client:
        found = listed(client, "search", limit, asked)
    if as_json:
        _print_list(found, as_json=True)
        return
    for entry in found:
        _print_list([entry], as_json=False)
        places = sorted({match["kind"] for match in entry["matches"]})
        lines = ", ".join(map(str, entry["lines"]))
        terminal.row(f"    in {', '.join(places) or 'its ids'}{lines and f'; lines {lines}'}")


runs_group.add_command(bulk_group)


@runs_group.command("show")
@click.argument("run")
@platform_options
@json_option
def show_command(run: str, *, where: Where, as_json: bool) -> None:
    """One run: its state, its steps, and what went wrong."""
    with connected(where) as client:
        key = _whole_id(client, run)
        data = call(client, "GET", f"/api/runs/{key}")["data"]
        steps = call(client, "GET", f"/api/runs/{key}/steps")["data"]
    if as_json:
        terminal.echo(json.dumps({**data, "steps": steps}, indent=2))
        return
    told = data["attributes"]
    terminal.echo(f"run {key}: {told['state']}", fg=_COLORS.get(told["state"], "red"))
    for name in ("inserted_at", "claimed_at", "started_at", "finished_at", "worker_name"):
        if told[name]:
            terminal.echo(f"  {name.removesuffix('_at')}: {told[name]}")
    if told["error_message"]:
        terminal.row(f"  {told['error_type']}: {told['error_message']}")
    for step in steps:
        item = step["attributes"]
        end = item["exit_reason"] or "under way"
        error = f": {item['error_message']}" if item["error_message"] else ""
        terminal.row(f"  step {item['job_name']}: {end} ({item['duration_ms']} ms){error}")


@runs_group.command("logs")
@click.argument("run")
@click.option("--follow", "-f", is_flag=True, help="Go on until the run has ended.")
@platform_options
@json_option
def logs_command(run: str, *, follow: bool, where: Where, as_json: bool) -> None:
    """The log of a run, whole lines; with --json one object a line."""
    with connected(where) as client:
        key = _whole_id(client, run)
        for line in _lines(client, key, follow=follow):
            if as_json:
                terminal.echo(json.dumps(line, ensure_ascii=False))
            else:
                text = f"{line['timestamp']} {line['source']:<3} {line['message']}"
                terminal.echo(text.replace("\n", "\n    "), fg=_LEVELS.get(line["level"]))


def _lines(client: httpx.Client, key: str, *, follow: bool) -> Iterator[dict[str, Any]]:
    after = 0
    while True:
        # asked first: what is written before the end is read after it
        ended = not follow or _has_ended(client, key)
        while lines := call(client, "GET", f"/api/runs/{key}/logs", after=after)["data"]:
            yield from lines
            after = lines[-1]["number"]
        if ended:
            return
        time.sleep(_FOLLOW_SECONDS)


def _has_ended(client: httpx.Client, key: str) -> bool:
    state = call(client, "GET", f"/api/runs/{key}")["data"]["attributes"]["state"]
    return RunState(state).final


@runs_group.command("retry")
@click.argument("run")
@click.option(
    "--step", "--from", "step", help="Name or id of the step to begin with; those before are kept."
)
@click.option("--dry-run", is_flag=True, help="Only show what would be done again.")
@platform_options
@json_option
def retry_command(
    run: str, step: str | None, *, dry_run: bool, where: Where, as_json: bool
) -> None:
    """Run it again, with the newest code and the same input.

    First it shows what this does again: the steps, and the requests that they were seen to make.

    \b
    holdfast runs retry 4f1c --from Only --dry-run
    """
    with connected(where) as client:
        key = _whole_id(client, run)
        step_id = None if step is None else _step_id(client, key, step)
        again = call(client, "GET", f"/api/runs/{key}/repeats", step_id=step_id)["data"]
        if not as_json:
            tell_repeats(again, seen_here(data_folder(os.environ, where.data), key))
        if dry_run:
            if as_json:
                terminal.echo(json.dumps(again, indent=2))
            return
        asked = {"step_id": step_id} if step_id else {}
        made = call(client, "POST", f"/api/runs/{key}/retry", asked)
    terminal.echo(json.dumps(made, indent=2) if as_json else f"run {made['run_id']}")


def _step_id(client: httpx.Client, key: str, name: str) -> str:
    """The id of a step by its id, the beginning of it, or its job's name. Raises DeployError."""
    steps = call(client, "GET", f"/api/runs/{key}/steps")["data"]
    names = [item["attributes"]["job_name"] or item["attributes"]["job_id"] for item in steps]
    pairs = zip(steps, names, strict=True)
    found = [item["id"] for item, job in pairs if name == job or item["id"].startswith(name)]
    if found:
        return str(found[-1])
    message = f"the run has no step {name!r}"
    fix = f"It has: {words(names)}." if names else "None of its steps has begun: leave --from out."
    raise DeployError(message, fix=fix)


@runs_group.command("cancel")
@click.argument("run")
@platform_options
def cancel_command(run: str, *, where: Where) -> None:
    """End a run: at once while it waits; else its worker is asked to end it."""
    with connected(where) as client:
        key = _whole_id(client, run)
        state = call(client, "POST", f"/api/runs/{key}/cancel")["state"]
    asked = "its worker is asked to end it" if state == "cancelling" else state
    terminal.echo(f"run {key}: {asked}")


def _print_list(found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        terminal.echo(json.dumps(found, indent=2))
        return
    for entry in found:
        told = entry["attributes"]
        words = f"{entry['id']}  {told['inserted_at']}  {told['state']}"
        error = told.get("error_type")
        terminal.row(f"{words}  {error}" if error else words, fg=_COLORS.get(told["state"], "red"))


def _whole_id(client: httpx.Client, beginning: str) -> str:
    """The id of the run that begins so. Raises DeployError when there is none, or several."""
    if call(client, "GET", f"/api/runs/{beginning}", missing=True) is not None:
        return beginning
    answer = call(client, "GET", "/api/runs", id_begins=beginning, page_size=2)
    found = [entry["id"] for entry in answer["data"]]
    if len(found) == 1:
        return str(found[0])
    message = f"{'several runs begin' if found else 'no run begins'} with {beginning!r}"
    raise DeployError(message, fix="`holdfast runs ls` shows ids.")
