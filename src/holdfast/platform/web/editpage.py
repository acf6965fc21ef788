"""The page on which a workflow is edited: steps, code, paths, starts; checked, saved, run."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.model.errors import HoldfastError
from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.policy import Action, decide
from holdfast.platform.causes.naming import Names
from holdfast.platform.deploy.bring import NotAllowedError, bring
from holdfast.platform.project.provision import ProvisionError
from holdfast.platform.project.schedule import Schedule
from holdfast.platform.project.source import ProjectFileError
from holdfast.platform.service import Platform
from holdfast.platform.start.actions import ActionError, start_run
from holdfast.platform.start.cron import next_times
from holdfast.platform.store import documents, keychains, snapshots, steps, webhook_keys, workflows
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.history import Filters
from holdfast.platform.web import moving
from holdfast.platform.web.codechecks import check
from holdfast.platform.web.data import newest
from holdfast.platform.web.draft import (
    Draft,
    changed,
    from_document,
    from_form,
    to_document,
    to_parts,
    way_back,
)
from holdfast.platform.web.drafttext import LONGEST, from_text, to_text
from holdfast.platform.web.flowview import SOON
from holdfast.platform.web.graph import layout
from holdfast.platform.web.hook import Hook
from holdfast.platform.web.language import later, say
from holdfast.platform.web.moving import LARGE, MOVE, Moving
from holdfast.platform.web.naming import read_names
from holdfast.platform.web.positions import positions_of
from holdfast.platform.web.render import message, page
from holdfast.platform.web.starters import STARTERS, example_of
from holdfast.platform.web.tried import TRY, inputs_of, read_tried, written_input
from holdfast.platform.web.versions import Changed, changes_between
from holdfast.platform.web.words import CONDITIONS, TRIGGER_NAMES

#: Runs whose input may be taken; of so many of them also what steps had, so many steps each.
_RUNS, _RECENT, _STEPS = 10, 5, 500
_NONE = later("There is no such workflow.")
#: Fields of a form; a step with its path has about ten.
_FIELDS = 20_000
#: What is told of a button whose act can be taken back.
_DONE = {
    "remove": later("Removed."),
    "connect": later("Connected."),
    "arrange": later("Arranged again."),
}
#: What a form does not bring back: the text follows the rest.
_NOT_UNDONE = frozenset({"undo", "act", "text", "text-of"})


def edit_routes() -> list[BaseRoute]:
    """The page, its form, its checks; and how a workflow is made."""
    return [
        Route("/workflows/{id}/edit", show),
        Route("/workflows/{id}/edit", save, methods=["POST"]),
        Route("/workflows/{id}/draft", act, methods=["POST"]),
        Route("/workflows/{id}/move", move, methods=["POST"]),
        Route("/workflows/{id}/check", checks, methods=["POST"]),
    ]


@dataclass(slots=True)
class _Told:
    """What the page says besides the draft.

    `opened`: the part that it opens; `broken`: names of the steps whose code cannot run;
    `saving`: it was to be saved, and not only checked; `input`: the document that a run would
    get, empty: none, None: that of the newest run.
    """

    opened: str | None = None
    problems: list[str] = field(default_factory=list)
    checked: dict[str, Any] | None = None
    conflict: list[Changed] | None = None
    broken: list[str] = field(default_factory=list)
    undo: str = ""
    #: What a button did, or why it did nothing.
    done: str = ""
    moving: Moving | None = None
    dirty: bool = False
    saving: bool = False
    input: str | None = None
    #: The run of one step that was tried, and what was sent of the forms to try steps.
    tried: str = ""
    sent: dict[str, str] = field(default_factory=dict)
    #: The text in its box that was not taken over, and what the page last wrote there.
    text: str | None = None
    text_of: str = ""
    #: Why a button did nothing: `text`, it would have lost that text; `both`, to take the text
    #: over would have lost what was changed in the forms.
    held: str = ""


async def show(request: Request) -> Response:
    """The workflow as it is, to be edited. `?part=` is opened, `?input=` is what it would run."""
    row = await _row(request)
    if row is None:
        return message(404, say("Not found"), say(_NONE))
    platform: Platform = request.app.state.platform
    draft = await platform.database.read(
        lambda c: from_document(documents.workflow_document(c, row))
    )
    asked = request.query_params
    told = _Told(asked.get("part"), input=asked.get("input"), tried=asked.get("tried", ""))
    return await _page(request, row, draft, told)


async def move(request: Request) -> Response:
    """Move data of a step into a collection. The draft then reads it; it is not saved."""
    return await act(request)


async def act(request: Request) -> Response:
    """A button that changes or checks the draft. Nothing is saved, and no typed text is lost."""
    row = await _row(request)
    if row is None:
        return message(404, say("Not found"), say(_NONE))
    items = await _items(request)
    sent = dict(items)
    draft, what = from_form(items), sent.get("act", "look")
    told = _Told(dirty=True, input=sent.get("input"), sent=sent)
    if what in {"take-text", "take-text-alone"}:
        return await _taken(request, row, draft, sent, told)
    if what != "drop-text" and _hold(told, sent):
        return await _page(request, row, draft, told)
    if what == "undo" and sent.get("undo"):
        return await _page(request, row, _undone(draft, sent["undo"]), told)
    if what == "check":
        await _judge(request, row, draft, told)
    if what.startswith(MOVE):
        return await _moved(request, row, draft, told, items)
    after, told.opened = changed(draft, what)
    words = _DONE.get(what.partition(":")[0])
    if words and after != draft:
        told.done = say(words)
        told.undo = way_back(draft, after, what) or _before(items)
    elif what.startswith("connect:"):
        told.done = say("No path was added: there is one already, or it would lead in a circle.")
    return await _page(request, row, after, told)


def _before(items: list[tuple[str, str]]) -> str:
    return json.dumps([item for item in items if item[0] not in _NOT_UNDONE])


def _undone(draft: Draft, undo: str) -> Draft:
    """As it was: an act takes it back, or the fields of the form are there."""
    return from_form(_kept(undo)) if undo.startswith("[") else changed(draft, undo)[0]


async def _moved(
    request: Request, row: Row, draft: Draft, told: _Told, items: list[tuple[str, str]]
) -> Response:
    """What moving data would change; on its own address, the draft with that changed."""
    platform: Platform = request.app.state.platform
    told.opened = told.sent["act"].removeprefix(MOVE)
    step = next((step for step in draft.steps if step.id == told.opened), None)
    if step is None:
        return await _page(request, row, draft, told)
    if not request.url.path.endswith("/move"):
        told.moving, _ = await moving.look(platform, row.project_id, step, told.sent)
        return await _page(request, row, draft, told)
    told.moving, code = await moving.move(platform, row.project_id, step, told.sent)
    if code is not None:
        told.undo = _before(items)
        count, name = f"{told.moving.count:,}", told.moving.collection
        told.done = say(
            "%(count)s items are in the collection %(name)s now. Save the workflow to read them "
            "from there.", count=count, name=name,
        )  # fmt: skip
        steps = [replace(one, body=code) if one is step else one for one in draft.steps]
        draft, told.moving = replace(draft, steps=steps), None
    return await _page(request, row, draft, told)


def _hold(told: _Told, sent: dict[str, str]) -> bool:
    """Whether the text was changed in its box and not taken over. Then the page keeps it."""
    text, of = _plain(sent.get("text", "")), sent.get("text-of", "")
    if not of or _digest(text) == of:
        return False
    told.text, told.text_of, told.held, told.undo = text, of, "text", sent.get("undo", "")
    return True


async def _taken(
    request: Request, row: Row, draft: Draft, sent: dict[str, str], told: _Told
) -> Response:
    """The draft as its text says; what is wrong with that is told, and the text stays.

    Changes of the forms, too, are dropped only by `take-text-alone`.
    """
    platform: Platform = request.app.state.platform
    text, of = _plain(sent.get("text", "")), sent.get("text-of", "")
    known: Any = await platform.database.read(
        lambda c: documents.credentials_of(c, row.project_id)
    )
    forms = _digest(await asyncio.to_thread(to_text, draft, row.id, row.project_name, known))
    if sent["act"] == "take-text" and of and of != forms:
        told.text, told.text_of, told.held = text, of, "both"
        return await _page(request, row, draft, told)
    try:
        draft = await asyncio.to_thread(from_text, text, draft, row.project_name, known)
    except ProjectFileError as error:
        told.problems, told.text, told.text_of = error.message.split("\n"), text, of
    return await _page(request, row, draft, told)


def _plain(text: str) -> str:
    """As it was before a form sent it: with one character at the end of a line."""
    return text.replace("\r\n", "\n")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


async def _items(request: Request) -> list[tuple[str, str]]:
    """The fields: as many and as long ones as a request may have at all."""
    most: int = request.app.state.platform.settings.frame_bytes
    async with request.form(max_fields=_FIELDS, max_part_size=most) as form:
        return [(name, str(value)) for name, value in form.multi_items()]


def _kept(text: str) -> list[tuple[str, str]]:
    """The fields before a removal, which the form brings back; none if that is damaged."""
    try:
        items = json.loads(text)
    except ValueError:
        return []
    return [
        (str(item[0]), str(item[1]))
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, list) and len(item) == 2
    ]


async def _row(request: Request) -> Row | None:
    platform: Platform = request.app.state.platform
    key = request.path_params["id"]
    return await platform.database.read(lambda c: workflows.find_workflow(c, key))


async def _judge(request: Request, row: Row, draft: Draft, told: _Told) -> None:
    """Everything that saving would say, and the checks of the code."""
    platform: Platform = request.app.state.platform
    told.checked = await check(platform, draft)
    told.problems = await _bring(platform, row, draft, dry=True)


async def _bring(platform: Platform, row: Row, draft: Draft, *, dry: bool) -> list[str]:
    """Save, or try to; what is wrong."""
    document = to_document(draft, row.id)
    payload: JsonObject = {"id": row.project_id, "workflows": [document]}
    try:
        await bring(platform, payload, dry=dry, source="app")
    except NotAllowedError as error:
        return [say("It needs %(needed)s.", needed=error.verdict.needed)]
    except ProvisionError as error:
        names = await platform.database.read(lambda c: _names(c, row, draft))
        return [names.without_ids(text, say("(gone)")) for text in error.message.split("\n")]
    except HoldfastError as error:
        return [error.message]
    return []


def _names(connection: Connection, row: Row, draft: Draft) -> Names:
    """Of what the workflow has, and of what the draft adds."""
    now = snapshots.parts_of(connection, snapshots.newest_snapshot(connection, row.id))
    drawn = {step.id: step.name for step in draft.steps}
    return Names({**read_names(connection, now).by_id, **drawn})


async def save(request: Request) -> Response:
    """Save as a new version, unless others have saved one since, or the code cannot run.

    Code that was not checked is saved only by `save-anyway`. `act`: `save`, `save-run` (it needs
    the right to run, too), `save-over` what others have saved, or `save-anyway`.
    """
    platform: Platform = request.app.state.platform
    row = await _row(request)
    if row is None:
        return message(404, say("Not found"), say(_NONE))
    items = await _items(request)
    draft, what = from_form(items), dict(items).get("act", "save")
    verdict = decide(visit.subject(), Action.RUN, row.project_id)
    if what.startswith(("save-run", TRY)) and not verdict.allowed:
        return message(
            403,
            say("Not allowed"),
            say("Not saved. To run needs %(needed)s.", needed=verdict.needed),
        )
    if what == "save-over":
        draft = replace(draft, base=row.lock_version)
    sent = dict(items)
    told = _Told(dirty=True, saving=True, input=sent.get("input"), sent=sent)
    tried = what.removeprefix(TRY) if what.startswith(TRY) else ""
    text = sent.get(f"{TRY}{tried}:text", "") if tried else ""
    written, wrong = await asyncio.to_thread(written_input, text, platform.settings)
    if draft.base != row.lock_version:
        told.conflict = await platform.database.read(lambda c: _theirs(c, row, draft.base))
    if wrong is not None:
        told.problems, told.opened = [wrong], tried
    if _hold(told, sent) or told.conflict is not None or told.problems:
        return await _page(request, row, draft, told, 422)
    if what != "save-anyway":
        told.checked = await check(platform, draft)
        told.broken = [s.name for s in draft.steps if _has_error(told.checked, s.id)]
    unsure = bool(told.broken) or (
        told.checked is not None and told.checked["trouble"] is not None
    )
    told.problems = await _bring(platform, row, draft, dry=unsure)
    if told.problems or unsure:
        return await _page(request, row, draft, told, 422)
    if what != "save-run" and not tried:
        return RedirectResponse(f"/workflows/{row.id}", 303)
    clip = sent.get(f"{TRY}{tried}:input" if tried else "input", "")
    if (example := STARTERS.get(clip)) is not None:
        written = json.loads(example.sample)
    return await _run(platform, row, None if written is not None else clip or None, written, tried)


async def _run(
    platform: Platform, row: Row, clip_id: str | None, body: JsonObject | None, job: str
) -> Response:
    """Start what was saved; or only the step `job`, and go back to it."""
    start = partial(
        start_run, settings=platform.settings, workflow_id=row.id, dataclip_id=clip_id, body=body,
        job_id=job or None, alone=bool(job), by=visit.subject().name,
    )  # fmt: skip
    try:
        created = await platform.database.write(start)
    except ActionError as error:
        return message(error.status, say("Saved, but not started"), error.message)
    if job:
        query = urlencode({"part": job, "tried": created.run_id})
        return RedirectResponse(f"/workflows/{row.id}/edit?{query}#d-{job}", 303)
    return RedirectResponse(f"/runs/{created.run_id}", 303)


def _has_error(checked: dict[str, Any], part: str) -> bool:
    return any(not item["warning"] for item in checked["found"].get(part, ()))


def _theirs(connection: Connection, row: Row, base: int) -> list[Changed]:
    """What others have changed since the draft was begun."""
    before = snapshots.parts_at(connection, row.id, base) or snapshots.NO_PARTS
    now = snapshots.parts_of(connection, snapshots.newest_snapshot(connection, row.id))
    return changes_between(before, now, read_names(connection, before, now))


async def checks(request: Request) -> Response:
    """For the editor's script: findings at their line, and names to complete. `only`: one step.

    The script gives a check up when the code has changed again; then it ends here, too.
    """
    platform: Platform = request.app.state.platform
    items = await _items(request)
    only = [value for name, value in items if name == "only" and value]
    checking = asyncio.create_task(check(platform, from_form(items), only))
    leaving = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait((checking, leaving), return_when=asyncio.FIRST_COMPLETED)
        return JSONResponse(checking.result() if checking.done() else None)
    finally:
        checking.cancel()
        leaving.cancel()
        await asyncio.wait((checking, leaving))


async def _gone(request: Request) -> None:
    """Returns when whoever asks does not wait any more."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _page(
    request: Request, row: Row, draft: Draft, told: _Told, status: int = 200
) -> Response:
    platform: Platform = request.app.state.platform

    def read(connection: Connection) -> dict[str, Any]:
        runs = newest(connection, Filters(workflow_id=row.id), _RUNS)
        recent = [run for run in runs if run["started_at"]][:_RECENT]
        ran = [steps.steps_of(connection, run["id"], _STEPS) for run in recent]
        # the newest of each step: a run may have one step only
        newest_steps = {step.job_id: step for found in reversed(ran) for step in found}
        known: Any = documents.credentials_of(connection, row.project_id)
        # here, and not in the event loop's thread: a large one takes a second
        short = sum(len(step.body) for step in draft.steps) <= LONGEST
        text = to_text(draft, row.id, row.project_name, known) if short else ""
        return {
            "credentials": known,
            "as_text": short,
            "text": text if told.text is None else told.text,
            "text_of": told.text_of or _digest(text),
            "keychains": keychains.listed(connection, row.project_id),
            "hook_keys": webhook_keys.names_of(connection, row.project_id),
            "runs": runs,
            "last_run": recent[0] if recent else None,
            "last_steps": {step.job_id: step for step in (ran[0] if ran else ())},
            "step_inputs": inputs_of(draft, newest_steps),
            "tried": told.tried and read_tried(platform, connection, row.id, told.tried),
        }

    found = await platform.database.read(read)
    links = {key: f"#part-{key}" for key in draft.ids}
    return page(
        "edit.html",
        status=status,
        workflow=row,
        draft=draft,
        example=told.input if told.input in STARTERS else example_of(s.body for s in draft.steps),
        told=told,
        graph=layout(to_parts(draft), links=links, current=told.opened, kept=draft.places),
        positions=json.dumps(positions_of(draft.places, draft.ids)) if draft.places else "",
        sources=[(b.id, TRIGGER_NAMES.get(b.type, b.type)) for b in draft.begins]
        + [(s.id, s.name) for s in draft.steps],
        conditions=CONDITIONS,
        no_hook=Hook(),
        large=LARGE,
        soon={
            begin.id: next_times(Schedule(begin.cron, begin.zone or "UTC"), SOON)
            for begin in draft.begins
            if begin.type == "cron"
        },
        **found,
    )
