"""Data in a step's code that the editor moves into a collection: first shown, then done."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from holdfast.model.errors import HoldfastError
from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.policy import Action, decide
from holdfast.platform.collections.putting import put_all
from holdfast.platform.deploy.bring import NotAllowedError, bring
from holdfast.platform.project.difference import lines_between
from holdfast.platform.service import Platform
from holdfast.platform.store import collections as store
from holdfast.platform.store.database import Row
from holdfast.platform.web.codechecks import ask
from holdfast.platform.web.draft import Step
from holdfast.platform.web.language import say

#: The act of the buttons, and what their fields begin with, before the step's id.
MOVE = "move:"
#: Code of so many characters is offered to be made smaller, where the compiler advises it; code of
#: more is not read here.
LARGE, _LONGEST = 256 * 1024, 20_000_000
#: Lines of a difference, and characters of one.
_LINES, _LINE = 200, 200


@dataclass(slots=True)
class Moving:
    """What may be moved, what is chosen, and what that would change. `wrong`: why nothing is."""

    step: str
    data: list[dict[str, Any]] = field(default_factory=list)
    chosen: int = 0
    collection: str = ""
    #: The names of the project's collections.
    known: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    wrong: str = ""
    moved: dict[str, Any] | None = None

    @property
    def what(self) -> dict[str, Any] | None:
        return self.data[self.chosen] if self.chosen < len(self.data) else None

    @property
    def count(self) -> int:
        return 0 if self.moved is None else len(self.moved["items"])


async def look(
    platform: Platform, project_id: str, step: Step, sent: Mapping[str, str]
) -> tuple[Moving, Row | None]:
    """What moving would do; and the collection that is there already, if it is."""
    own = f"{MOVE}{step.id}:"
    number, name = sent.get(f"{own}data", ""), sent.get(f"{own}collection", "").strip()
    chosen = int(number) if number.isascii() and number.isdigit() and len(number) < 5 else 0
    rows = await platform.database.read(lambda c: store.collections_of(c, project_id))
    told = Moving(step.id, chosen=chosen, collection=name, known=[row.name for row in rows])
    if len(step.body) > _LONGEST:
        told.wrong = say("The code is too long to be read here.")
        return told, None
    found = next((row for row in rows if row.name == name), None)
    for _ in range(2):  # the second time, with a name for its collection
        asked: JsonObject = {
            "store": str(platform.adaptors.root.absolute()), "text": step.body,
            "adaptor": step.adaptor, "chosen": chosen, "collection": told.collection,
            "shared": found is not None,
        }  # fmt: skip
        answer = await ask(platform, asked)
        told.wrong = answer.get("trouble") or answer.get("why") or ""
        told.data, told.moved = answer.get("data", []), answer.get("moved")
        if told.collection or told.moved is None or told.what is None:
            break
        told.collection = _free_name(str(told.what["name"]), told.known)
    _judge(told)
    return told, found


def _judge(told: Moving) -> None:
    if told.wrong:
        return
    if not told.data:
        told.wrong = say("No data was found in this code that can be moved.")
    elif told.what is None or told.moved is None:
        reason = "" if told.what is None else told.what["reason"]
        told.wrong = say("This cannot be moved: %(reason)s.", reason=reason or "–")
    else:
        lines = islice(lines_between(told.moved["before"], told.moved["after"]), _LINES)
        told.lines = [line if len(line) <= _LINE else f"{line[:_LINE]}…" for line in lines]


async def move(
    platform: Platform, project_id: str, step: Step, sent: Mapping[str, str]
) -> tuple[Moving, str | None]:
    """Put the data into the collection; the step's code without it, or None."""
    told, found = await look(platform, project_id, step, sent)
    if told.moved is None or told.wrong:
        return told, None
    verdict = decide(visit.subject(), Action.WRITE_COLLECTION, project_id)
    if not verdict.allowed:
        told.wrong = say("It needs %(needed)s.", needed=verdict.needed)
        return told, None
    visit.note(project_id, collection=told.collection)
    pairs = [(key, value) for key, value in told.moved["items"]]
    key, told.wrong = await _collection(platform, project_id, told, found)
    if not told.wrong:
        _, wrong = await put_all(platform, key, pairs)
        told.wrong = wrong or ""
    return told, None if told.wrong else told.moved["code"]


async def _collection(
    platform: Platform, project_id: str, told: Moving, found: Row | None
) -> tuple[str, str]:
    """Its id, and what is wrong. A new one is made; in one that is there, nothing is replaced."""
    if found is not None:
        prefix = told.moved["prefix"] if told.moved is not None else ""
        mine = store.Selection(f"{prefix}*", (), 1, 0)
        if await platform.database.read(lambda c: store.page(c, found.id, mine, 1)):
            taken = say("The collection has items already whose keys begin with %(p)s", p=prefix)
            return "", taken
        return str(found.id), ""
    key = str(uuid.uuid4())
    made: JsonObject = {"id": key, "name": told.collection}
    try:
        await bring(platform, {"id": project_id, "collections": [made]}, dry=False, source="app")
    except NotAllowedError as error:
        return "", say("It needs %(needed)s.", needed=error.verdict.needed)
    except HoldfastError as error:
        return "", error.message
    return key, ""


def _free_name(name: str, taken: list[str]) -> str:
    """As a collection may be called: small letters, digits and hyphens."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
    plain = re.sub(r"[^a-z0-9]+", "-", words).strip("-") or "data"
    number, free = 1, plain
    while free in taken:
        number += 1
        free = f"{plain}-{number}"
    return free
