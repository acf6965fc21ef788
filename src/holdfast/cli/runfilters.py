"""Options that choose runs and work orders, and lists of them from a platform."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click
import httpx

from holdfast.cli.remote import DeployError, call
from holdfast.model.outcome import RunState

_F = TypeVar("_F", bound=Callable[..., Any])
#: The query of a list, as the API understands it; `project` and `workflow` may be names.
Query = dict[str, str]

_STATES = [state.value for state in RunState]
_LARGEST_PAGE = 100
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)", re.ASCII)


class Duration(click.ParamType[str]):
    """`500ms`, `30s`, `5m`, `1.5h`: as milliseconds."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        if (match := _DURATION.fullmatch(str(value))) is None:
            self.fail(
                f"{value!r} is no duration. Write it like 500ms, 30s, 5m or 1.5h.", param, ctx
            )
        return str(round(float(match[1]) * _UNITS[match[2]]))


limit_option = click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="So many."
)
_OPTIONS = (
    click.option(
        "--state",
        help=f"Only these, with commas between: unsuccessful, {', '.join(_STATES)}; of work "
        "orders also pending, running.",
    ),
    click.option("--project", help="Name or id of a project."),
    click.option("--workflow", "workflow_id", help="Name or id of a workflow."),
    click.option("--error-type", help="Kind of error, such as AdaptorError."),
    click.option("--worker", help="Name of the worker that had it."),
    click.option("--since", "inserted_after", help="Made since then: a date, or a date and time."),
    click.option("--until", "inserted_before", help="Made until then."),
    click.option(
        "--longer-than", "min_duration_ms", type=Duration(), help="Took so long: 500ms, 30s, 5m."
    ),
    click.option(
        "--shorter-than", "max_duration_ms", type=Duration(), help="Took no longer than this."
    ),
    click.option(
        "--memory-above", "min_memory_mb", type=click.IntRange(0), help="A job had so many MB."
    ),
    click.option(
        "--memory-below", "max_memory_mb", type=click.IntRange(0), help="No job had more MB."
    ),
)


def filter_options(command: _F) -> Callable[..., Any]:
    """The options that choose runs, as `filters`."""
    names = ("state", "project", "workflow_id", "error_type", "worker", "inserted_after",
             "inserted_before", "min_duration_ms", "max_duration_ms", "min_memory_mb",
             "max_memory_mb")  # fmt: skip

    @functools.wraps(command)
    def with_filters(*arguments: Any, **given: Any) -> Any:
        asked = {name: given.pop(name) for name in names}
        filters = {name: str(value) for name, value in asked.items() if value is not None}
        return command(*arguments, filters=filters, **given)

    found: Callable[..., Any] = with_filters
    for option in reversed(_OPTIONS):
        found = option(found)
    return found


def query_of(client: httpx.Client, filters: Query) -> Query:
    """With ids in the place of names. Raises DeployError."""
    query = dict(filters)
    if (project := query.pop("project", None)) is not None:
        query["project_id"] = call(client, "GET", f"/api/projects/{project}")["data"]["id"]
    if (workflow := query.get("workflow_id")) is not None:
        query["workflow_id"] = _workflow(client, workflow, query.get("project_id"))
    return query


def _workflow(client: httpx.Client, named: str, project: str | None) -> str:
    asked: dict[str, Any] = {"name": named, "page_size": 2, "project_id": project}
    found = call(client, "GET", "/api/workflows", **asked)["data"]
    if len(found) > 1:
        message = f"several projects have a workflow {named!r}"
        raise DeployError(message, fix="Name the project, too: --project.")
    return str(found[0]["id"]) if found else named


def listed(client: httpx.Client, kind: str, limit: int, filters: Query) -> list[dict[str, Any]]:
    """Up to `limit` entries, newest first. Raises DeployError."""
    query: dict[str, Any] = query_of(client, filters)
    query["page_size"] = min(_LARGEST_PAGE, limit)
    entries: list[dict[str, Any]] = []
    while len(entries) < limit:
        answer = call(client, "GET", f"/api/{kind}", **query)
        entries += answer["data"]
        if (following := answer["links"]["next"]) is None:
            break
        query = dict(httpx.URL(following).params)
    return entries[:limit]
