"""The page of one run: what happened, when, with what data, in which code; and its log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from holdfast.platform.access import visit
from holdfast.platform.clock import iso, now
from holdfast.platform.service import Platform
from holdfast.platform.start.actions import ActionError, cancel, retry
from holdfast.platform.store import logs, retries, snapshots, steps, workflows
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.liveness import is_attended
from holdfast.platform.store.runs import is_alone, run_to_show
from holdfast.platform.store.waits import waits
from holdfast.platform.web import live, logview
from holdfast.platform.web.compare import Difference, difference
from holdfast.platform.web.comparison import compared, run_to_compare
from holdfast.platform.web.document import Reader, read_document
from holdfast.platform.web.graph import Graph, layout
from holdfast.platform.web.language import say
from holdfast.platform.web.naming import read_names
from holdfast.platform.web.pinned import case_text
from holdfast.platform.web.recording import is_recorded, recording
from holdfast.platform.web.render import message, page
from holdfast.platform.web.runview import STEPS, Asked, run_view
from holdfast.platform.web.versions import Changed, changes_between
from holdfast.platform.web.waiting import wait_words

#: Lines and characters that one read of a download brings.
_PIECE = logs.Wanted(lines=5000, each=10**9, together=2_000_000)


def run_routes() -> list[BaseRoute]:
    """A run, what can be done with it, its live events and its log."""
    return [
        Route("/runs/{id}", run),
        Route("/runs/{id}/events", live.run_events),
        Route("/runs/{id}/log.txt", log_text),
        Route("/runs/{id}/compare", compare_run),
        Route("/runs/{id}/case.yaml", as_case),
        Route("/runs/{id}/recording.json", recording),
        Route("/runs/{id}/retry", retry_run, methods=["POST"]),
        Route("/runs/{id}/cancel", cancel_run, methods=["POST"]),
    ]


async def run(request: Request) -> Response:
    """One run. `?step=` or `?job=` chooses what is shown, `?span=` an operation or request of the
    step; `?all=` lists all of them; `?part=` is `live` or `log`.
    """
    platform: Platform = request.app.state.platform
    key, query = request.path_params["id"], request.query_params
    chosen = Asked(
        query.get("step") or None, query.get("job") or None, query.get("span") or None,
        whole="all" in query,
    )  # fmt: skip
    part, asked = query.get("part"), logview.Asked.read(query)
    if part is None and "go" in query and asked.line:  # a form cannot name the line by itself
        rest = urlencode([(name, text) for name, text in query.multi_items() if name != "go"])
        return RedirectResponse(f"/runs/{key}?{rest}#L{asked.line}", 303)

    def read(connection: Connection) -> dict[str, Any] | None:
        """All of the work is done here, as this is not the event loop's thread."""
        found = run_view(connection, key, chosen, now())
        if found is None:
            return None
        if part != "log":
            found |= _documents(platform, connection, found) | _versions(connection, found["run"])
            found["recorded"] = is_recorded(found["run"])
            flow = workflows.find_workflow(connection, found["run"].workflow_id)
            found["removed"] = flow is None
            found["again_at"] = retries.due_of(connection, key)
            found["waiting"] = _waiting(connection, found["run"])
            found["connected"] = is_attended(connection, found["run"], now())
        if part != "live":
            ran = [(step.id, _name(found, step)) for step in found["steps"]]
            found["log"] = logview.log_view(connection, key, _log_of(found, chosen, asked), ran)
        return found

    found = await platform.database.read(read)
    if found is None:
        return message(404, say("Not found"), say("There is no such run."))
    if part == "log":
        return page("log_panel.html", **found)
    values = {**found, **_of_now(platform, found), "graph": _graph(found)}
    return page("run_live.html" if part == "live" else "run.html", **values)


def _log_of(found: dict[str, Any], chosen: Asked, asked: logview.Asked) -> logview.Asked:
    """The log follows what is chosen on the page, unless more of it was asked for."""
    if chosen.step_id is None or found["chosen"] is None or asked.chooses:
        return asked
    own, span = asked.of_step(found["chosen"].id), found["span"]
    if span is None:
        return own
    end = span.until or found["run"].finished_at or now()
    return replace(own, within=(span.since, end))


def _name(found: dict[str, Any], step: Row) -> str:
    job = found["jobs"].get(step.job_id)
    return str(job["name"]) if job else str(step.job_id)


def _of_now(platform: Platform, found: dict[str, Any]) -> dict[str, Any]:
    row = found["run"]
    gone = row.worker_id is not None and not found["connected"]
    return {
        "worker_gone": gone and not found["final"],
        "silence_seconds": platform.settings.silence_seconds,
        "alone": is_alone(row),
    }


def _graph(found: dict[str, Any]) -> Graph:
    chosen, run_id = found["chosen"], found["run"].id
    links = {job: f"/runs/{run_id}?job={job}#step" for job in found["jobs"]}
    links |= {job: f"/runs/{run_id}?step={step}#step" for job, step in found["step_ids"].items()}
    current = chosen.job_id if chosen is not None else (found["job"] or {}).get("id")
    return layout(
        found["parts"], found["states"], taken=found["taken"], links=links, current=current,
        kept=found["places"],
    )  # fmt: skip


def _versions(connection: Connection, row: Row) -> dict[str, Any]:
    newest = snapshots.newest_snapshot(connection, row.workflow_id)
    changed = list[Changed]()
    if newest != row.snapshot_id:
        before, after = (snapshots.parts_of(connection, key) for key in (row.snapshot_id, newest))
        changed = changes_between(before, after, read_names(connection, before, after))
    return {
        "version_of_run": snapshots.version_of(connection, row.snapshot_id),
        "version_now": snapshots.version_of(connection, newest),
        "changed_since": changed,
    }


def _waiting(connection: Connection, row: Row) -> tuple[str, str] | None:
    """Why a run waits, and what helps; None: it does not wait."""
    wait = waits(connection, [row], now()).get(row.id)
    return None if wait is None else wait_words(wait)


def _documents(
    platform: Platform, connection: Connection, found: dict[str, Any]
) -> dict[str, Any]:
    chosen, row = found["chosen"], found["run"]
    input_id = chosen.input_dataclip_id if chosen is not None else row.dataclip_id
    output_id = chosen.output_dataclip_id if chosen is not None else row.final_dataclip_id
    before = read_document(platform, connection, input_id)
    after = read_document(platform, connection, output_id)
    changes: Difference | None = None
    if chosen is not None and before is not None and after is not None:
        whole = not (before.cut or after.cut)
        changes = difference(before.value, after.value) if whole else None
    return {
        "input_id": input_id,
        "output_id": output_id,
        "input": before,
        "output": after,
        "changes": changes,
    }


async def compare_run(request: Request) -> Response:
    """A run beside the workflow's last success before it, or beside the run of `?with=`."""
    platform: Platform = request.app.state.platform
    key, asked = request.path_params["id"], request.query_params.get("with")

    def read(connection: Connection) -> dict[str, Any] | None:
        mine = run_to_show(connection, key)
        if mine is None:
            return None
        other = run_to_compare(connection, mine, asked)
        name = workflows.names_of(connection, mine.workflow_id).name
        found = {"run": mine, "other": other, "asked": asked, "workflow_name": name}
        if other is not None:
            found |= compared(connection, mine, other, Reader(platform, connection))
        return found

    found = await platform.database.read(read)
    if found is None:
        return message(404, say("Not found"), say("There is no such run."))
    return page("compare.html", **found)


async def as_case(request: Request) -> Response:
    """The run as a test case, to be downloaded."""
    platform: Platform = request.app.state.platform
    key = request.path_params["id"]

    def read(connection: Connection) -> str | None:
        row = run_to_show(connection, key)
        if row is None:
            return None
        reader = Reader(platform, connection)
        return case_text(
            workflows.names_of(connection, row.workflow_id).name,
            row,
            snapshots.parts_of(connection, row.snapshot_id)["jobs"],
            steps.steps_of(connection, key, STEPS),
            (reader.value(row.dataclip_id), reader.value(row.final_dataclip_id)),
        )

    text = await platform.database.read(read)
    if text is None:
        return message(404, say("Not found"), say("There is no such run."))
    return Response(text, media_type="text/yaml", headers={"cache-control": "no-store"})


async def log_text(request: Request) -> Response:
    """The whole log as plain text, a piece at a time."""
    platform: Platform = request.app.state.platform
    key = request.path_params["id"]

    async def pieces() -> AsyncIterator[str]:
        after = 0
        while lines := await platform.database.read(
            lambda c, after=after: logs.lines(c, key, after, _PIECE)  # type: ignore[misc]
        ):
            after = lines[-1].number
            yield "".join(
                f"{iso(line.timestamp)} {line.source} {line.level} "
                f"{logs.without_colours(line.message)}\n"
                for line in lines
            )

    headers = {"cache-control": "no-store"}
    return StreamingResponse(pieces(), media_type="text/plain; charset=utf-8", headers=headers)


async def retry_run(request: Request) -> Response:
    platform, who = request.app.state.platform, visit.subject().name
    async with request.form() as form:
        step = str(form.get("step_id") or "") or None
    try:
        created = await platform.database.write(
            lambda tx: retry(tx, platform.settings, request.path_params["id"], step, by=who)
        )
    except ActionError as error:
        return message(error.status, say("Not retried"), error.message)
    return RedirectResponse(f"/runs/{created.run_id}", 303)


async def cancel_run(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    work = partial(cancel, run_id=request.path_params["id"], by=visit.subject().name)
    try:
        await platform.database.write(work)
    except ActionError as error:
        return message(error.status, say("Not cancelled"), error.message)
    return RedirectResponse(f"/runs/{request.path_params['id']}", 303)
