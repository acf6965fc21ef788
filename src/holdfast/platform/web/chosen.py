"""What a list of runs does with those that somebody has chosen: retry or cancel them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from holdfast.platform.access import visit
from holdfast.platform.access.policy import Action, decide
from holdfast.platform.service import Platform
from holdfast.platform.start.actions import ActionError
from holdfast.platform.start.bulk import act_on
from holdfast.platform.store import audit, bulk
from holdfast.platform.store.database import Transaction
from holdfast.platform.store.runs import find_run
from holdfast.platform.web.language import later_many, say, say_many
from holdfast.platform.web.render import message

#: Runs that are done at once; `bulk_actions` of the API do more.
MOST = 100
#: Where the buttons stand.
_PLACES = ("/runs", "/problems")
#: What was done to so many runs, and why so many were left alone: for one, and for many.
_DONE = {
    "retry": later_many("%(count)s run retried.", "%(count)s runs retried."),
    "cancel": later_many(
        "%(count)s run cancelled, or asked to end.", "%(count)s runs cancelled, or asked to end."
    ),
}
_LEFT = {
    "retry": later_many(
        "%(count)s run left alone: it has not ended, has a newer run, lost its input or its first"
        " step, or is not yours to run.",
        "%(count)s runs left alone: each has not ended, has a newer run, lost its input or its"
        " first step, or is not yours to run.",
    ),
    "cancel": later_many(
        "%(count)s run left alone: it has ended, or is not yours to cancel.",
        "%(count)s runs left alone: each has ended, or is not yours to cancel.",
    ),
}
_TOLD = re.compile(r"(retry|cancel)-(\d{1,3})-(\d{1,3})")


@dataclass(frozen=True, slots=True)
class Told:
    """What became of the chosen runs, in the address that the browser goes back to."""

    action: str
    done: int
    left: int

    @classmethod
    def read(cls, text: str) -> Told | None:
        found = _TOLD.fullmatch(text)
        return None if found is None else cls(found[1], int(found[2]), int(found[3]))

    def __str__(self) -> str:
        return f"{self.action}-{self.done}-{self.left}"

    @property
    def words(self) -> str:
        """`3 runs retried. 1 run left alone: it has not ended, …`."""
        one, many = _DONE[self.action]
        done = say_many(one, many, self.done)
        if not self.left:
            return done
        one, many = _LEFT[self.action]
        return f"{done} {say_many(one, many, self.left)}"


def address_of(request: Request) -> str:
    """Where a form of the page that was asked for leads back to."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


async def act(request: Request) -> Response:
    """Retry or cancel the chosen runs. Of a work order only the newest run is retried."""
    async with request.form() as form:
        ids = [*dict.fromkeys(str(value) for value in form.getlist("run"))]
        action, back = str(form.get("act")), str(form.get("back") or "")
    place, _, query = back.partition("?")
    if action not in bulk.ACTIONS or place not in _PLACES:
        return message(422, say("Not done"), say("There is no such action."))
    if not ids or len(ids) > MOST:
        return message(
            422, say("Not done"), say("Choose runs first, %(most)s at most.", most=MOST)
        )
    done = await _act(request, action, ids)
    told = Told(action, len(done), len(ids) - len(done))
    kept = [pair for pair in parse_qsl(query) if pair[0] != "told"]
    return RedirectResponse(f"{place}?{urlencode([*kept, ('told', str(told))])}", 303)


async def _act(request: Request, action: str, ids: Sequence[str]) -> list[str]:
    """The runs that it was done with: each by itself, and only where the visitor may."""
    platform: Platform = request.app.state.platform
    # the transaction has a context of its own
    who, address = visit.subject(), visit.current().address

    def one(tx: Transaction, run_id: str) -> str | None:
        run = find_run(tx.connection, run_id)
        if run is None or not decide(who, Action.RUN, run.project_id).allowed:
            return None
        act_on(tx, platform.settings, action, run, by=who.name)
        audit.add(
            tx, who, action=f"POST /runs/chosen {action}", status=303, address=address,
            project_id=run.project_id, details={"run": run_id},
        )  # fmt: skip
        return run_id

    done = list[str]()
    for run_id in ids:
        try:
            made = await platform.database.write(partial(one, run_id=run_id))
        except ActionError:
            continue
        if made is not None:
            done.append(made)
    visit.note(None, action=action, runs=len(done))
    return done
