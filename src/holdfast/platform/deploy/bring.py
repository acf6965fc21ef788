"""Lay a provisioning document over a project (`docs/spec/platform.md` 7.2): for API and page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from holdfast.model.json import Json, JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.policy import Role, Verdict
from holdfast.platform.access.provisioning import judge
from holdfast.platform.project.kinds import kind_problems
from holdfast.platform.project.merge import dicts, merged, stale
from holdfast.platform.project.provision import Provision, ProvisionError, from_payload
from holdfast.platform.service import Platform
from holdfast.platform.store import documents, projects
from holdfast.platform.store.accounts import put_member
from holdfast.platform.store.database import Transaction
from holdfast.platform.store.triggers import webhooks_of

#: A document is laid over the project so often in all, while others change it.
_TRIES = 5


class NotAllowedError(Exception):
    """The visitor may not do what the document asks for."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.needed)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, and the project as it is then."""

    imported: projects.Imported
    document: JsonObject
    webhooks: list[JsonObject]


class _Rehearsed(Exception):  # noqa: N818 - it is no error
    """Undoes what was tried."""

    def __init__(self, done: Done) -> None:
        super().__init__()
        self.done = done


async def bring(
    platform: Platform, payload: Json, *, dry: bool, source: str = "cli"
) -> tuple[Done, list[str]]:
    """Lay the document over the project; again when somebody else changed that meanwhile.

    What was done, and what the sender should know.
    """
    asked = payload.get("id") if isinstance(payload, dict) else None
    subject = visit.subject()
    for _ in range(_TRIES):
        current = await platform.database.read(lambda c: documents.current_document(c, asked))
        whole = merged(payload, current) if isinstance(payload, dict) else payload
        verdict = judge(subject, whole if isinstance(whole, dict) else {}, current)
        if not verdict.allowed:
            raise NotAllowedError(verdict)
        if isinstance(payload, dict) and (problems := list(kind_problems(payload))):
            raise ProvisionError(problems)  # a list that is none counted as an empty one
        if isinstance(payload, dict) and (names := stale(payload, current)):
            message = f"others have changed since you looked: workflow {', '.join(names)}"
            raise projects.ConflictError(message, fix="Fetch the project again, then deploy.")
        provision = from_payload(whole)
        notes = await _confirm(platform, provision, current)
        resolved = await _resolve(platform, provision)
        work = partial(
            _import,
            current=current,
            provision=provision,
            resolved=resolved,
            owner=subject.user_id,
            author=projects.Author(source, subject.name or None),
        )
        with suppress(projects.ChangedError):
            return await _write(platform, work, dry=dry), notes
    message = "others change the project at the same time"
    raise projects.ConflictError(message, fix="Deploy again.")


def _import(
    tx: Transaction,
    *,
    current: JsonObject | None,
    provision: Provision,
    resolved: dict[str, str],
    owner: str | None,
    author: projects.Author,
) -> projects.Imported:
    """Whoever makes a project is its owner."""
    done = projects.import_over(tx, current, provision, resolved, author)
    if done.created and owner is not None:
        put_member(tx, done.project_id, owner, Role.OWNER)
    return done


async def _write(
    platform: Platform, act: Callable[[Transaction], projects.Imported], *, dry: bool
) -> Done:
    def work(tx: Transaction) -> Done:
        imported = act(tx)
        key = imported.project_id
        shown = documents.document(tx.connection, key)
        done = Done(imported, shown, webhooks_of(tx.connection, key))
        if dry:
            raise _Rehearsed(done)
        return done

    try:
        return await platform.database.write(work)
    except _Rehearsed as rehearsed:
        return rehearsed.done


async def _confirm(
    platform: Platform, provision: Provision, current: JsonObject | None
) -> list[str]:
    """Refuse adaptor versions that do not exist; what is in use already is not asked for."""
    names = {job.adaptor for w in provision.project.workflows for job in w.jobs}
    for workflow in dicts((current or {}).get("workflows")):
        names -= {str(job["adaptor"]) for job in dicts(workflow["jobs"])}
    words = await asyncio.gather(*(platform.confirm(name) for name in sorted(names)))
    return [text for text in words if text is not None]


async def _resolve(platform: Platform, provision: Provision) -> dict[str, str]:
    """An exact version for each adaptor, so that a run's plan never changes by itself."""
    names = sorted({job.adaptor for w in provision.project.workflows for job in w.jobs})
    versions = await asyncio.gather(*(platform.resolve(name) for name in names))
    return dict(zip(names, versions, strict=True))
