"""Dataclips: the stored input and output of runs, as JSON (`docs/spec/platform.md` 1.4, 4.8)."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    Insert,
    Select,
    bindparam,
    delete,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)  # fmt: skip

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject, parse_document, refuse_depth
from holdfast.platform.access.keys import Keys
from holdfast.platform.scrubbing import Scrubbers
from holdfast.platform.store import blobs, credentials, search
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Connection, Row, Transaction, insert_new
from holdfast.platform.store.rows import add_rows
from holdfast.platform.store.runs import is_whole

#: Types whose state is `{"data": body, "request": request}`.
_WRAPPED = frozenset({"http_request", "kafka"})
#: Characters read beyond a limit, as the last ones may be a part of a secret.
_BEYOND = 8192
#: Successes that are looked at for the last one that is kept, at first and at most: few enough
#: that PostgreSQL looks their clips up, and does not read them all.
_NEWEST, _FARTHEST = 300, 2000


#: Built once, as in `runs.py`.
_DIGEST = select(t.dataclips.c.digest).where(t.dataclips.c.id == bindparam("of_clip"))
_BODY = t.dataclip_bodies.c
_STATE = (
    select(t.dataclips.c.type, _BODY.body, _BODY.request, _BODY.blob_id)
    .join(t.dataclip_bodies, t.dataclip_bodies.c.dataclip_id == t.dataclips.c.id)
    .where(t.dataclips.c.id == bindparam("of_clip"))
)


@cache
def _add(dialect: str) -> Insert:
    # returned, as PostgreSQL's driver does not count inserted rows
    return insert_new(dialect, t.dataclips).returning(t.dataclips.c.id)


class ClipConflictError(HoldfastError):
    """A dataclip of this id exists with other content."""


def insert_clip(
    tx: Transaction,
    *,
    project_id: str,
    kind: str,
    body: str,
    request: str | None = None,
    clip_id: str | None = None,
    name: str | None = None,
    wiped: bool = False,
) -> str:
    """Store a JSON text and return its id. The same id with the same content is no error.

    `wiped`: only its existence is kept (projects that save no data). Raises ClipConflictError.
    """
    row = _row(tx, project_id, kind, body)
    row |= {"name": name, "wiped_at": tx.now if wiped else None}
    clip_id = row["id"] = clip_id or row["id"]
    if tx.connection.execute(_add(tx.connection.dialect.name), row).one_or_none() is None:
        if tx.connection.scalar(_DIGEST, {"of_clip": clip_id}) == row["digest"]:
            return clip_id
        message = "has already been taken by other content"
        raise ClipConflictError(message)
    if not wiped:
        add_rows(tx.connection, t.dataclip_bodies, [_body(tx, row, body, request)])
    return clip_id


@dataclass(frozen=True, slots=True)
class NewClip:
    """A clip to be stored: JSON texts of its content, and of the request that brought it."""

    project_id: str
    body: str
    request: str | None


def insert_clips(tx: Transaction, kind: str, clips: Sequence[NewClip]) -> list[str]:
    """Store new clips with as many statements as one needs; their ids."""
    rows = [_row(tx, clip.project_id, kind, clip.body) for clip in clips]
    bodies = [
        _body(tx, row, clip.body, clip.request) for row, clip in zip(rows, clips, strict=True)
    ]
    add_rows(tx.connection, t.dataclips, rows)
    add_rows(tx.connection, t.dataclip_bodies, bodies)
    return [row["id"] for row in rows]


def _row(tx: Transaction, project_id: str, kind: str, body: str) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "project_id": project_id,
        "type": kind,
        "size": len(body),
        "digest": hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest(),
        "inserted_at": tx.now,
    }


def _body(tx: Transaction, row: dict[str, Any], body: str, request: str | None) -> dict[str, Any]:
    blob = blobs.put(tx, row["project_id"], body) if len(body) >= blobs.LARGE else None
    given = {"dataclip_id": row["id"], "body": "" if blob else body, "request": request}
    return {**given, "blob_id": blob}


def find_clip(connection: Connection, clip_id: str) -> Row | None:
    """A clip without its content, which has a table of its own."""
    query = select(t.dataclips).where(t.dataclips.c.id == clip_id)
    return connection.execute(query).one_or_none()


def state_text(connection: Connection, clip_id: str | None) -> str:
    """What a run starts with, as JSON text: `null` when the clip is wiped or missing."""
    row = connection.execute(_STATE, {"of_clip": clip_id}).one_or_none()
    if row is None:
        return "null"
    body = _content(connection, row)
    if body is not None and row.type in _WRAPPED:
        return f'{{"data":{body},"request":{row.request or "null"}}}'
    return "null" if body is None else body


def body_text(connection: Connection, clip_id: str | None) -> str | None:
    """A clip's content alone; None when it is wiped or missing."""
    row = connection.execute(_STATE, {"of_clip": clip_id}).one_or_none()
    return None if row is None else _content(connection, row)


def _content(connection: Connection, row: Row) -> str | None:
    """None: it was wiped since the row was read."""
    return str(row.body) if row.blob_id is None else blobs.read(connection, row.blob_id)


@dataclass(frozen=True, slots=True)
class Shown:
    """The content of a clip as people may see it. `cut`: there is more than this of `size`."""

    text: str
    cut: bool
    size: int


def shown_text(
    connection: Connection,
    keys: Keys,
    scrubbers: Scrubbers,
    clip_id: str,
    most: int | None = None,
    *,
    state: bool = False,
) -> Shown | None:
    """The content, cleaned of the secrets that its runs had (4.7); None: unknown or wiped.

    `most`: so many characters of its beginning are enough, and no more are read. `state`: what a
    job gets of it, as `state_text`.
    """
    body = _BODY.body if most is None else func.substr(_BODY.body, 1, most + _BEYOND)
    length = func.length(_BODY.body).label("size")
    row = connection.execute(
        select(t.dataclips.c.type, body.label("body"), length, _BODY.request, _BODY.blob_id)
        .join(t.dataclips, t.dataclips.c.id == _BODY.dataclip_id)
        .where(_BODY.dataclip_id == clip_id)
    ).one_or_none()
    if row is None or (read := _read(connection, row, most)) is None:
        return None
    text, size = read
    whole = most is None or size <= most
    if row.type == "step_result":
        scrubber = credentials.scrubber_of(connection, keys, scrubbers, _runs_that_wrote(clip_id))
        text = scrubber.clean(text) if whole else scrubber.clean_start(text)
    elif state and row.type in _WRAPPED:
        text = f'{{"data":{text}' + (f',"request":{row.request or "null"}}}' if whole else "")
        whole = most is None or len(text) <= most
    return Shown(text if whole else text[:most], not whole, max(size, len(text) if whole else 0))


def _read(connection: Connection, row: Row, most: int | None) -> tuple[str, int] | None:
    """What is read of a content for `shown_text`, and its whole size in characters."""
    if row.blob_id is None:
        return str(row.body), int(row.size)
    if most is not None:
        return blobs.begin(connection, row.blob_id, most + _BEYOND)
    text = blobs.read(connection, row.blob_id)
    return None if text is None else (text, len(text))


def any_wiped(connection: Connection, run_id: str) -> bool:
    """Whether a document that the run or one of its steps began or ended with is erased."""
    d, r, s, rs = t.dataclips.c, t.runs.c, t.steps.c, t.run_steps.c
    of_steps = select(rs.step_id).where(rs.run_id == run_id)
    used = union_all(
        select(r.dataclip_id).where(r.id == run_id),
        select(r.final_dataclip_id).where(r.id == run_id),
        select(s.input_dataclip_id).where(s.id.in_(of_steps)),
        select(s.output_dataclip_id).where(s.id.in_(of_steps)),
    ).subquery()
    query = select(d.id).where(d.id.in_(select(used)), d.wiped_at.is_not(None)).limit(1)
    return connection.scalar(query) is not None


def _runs_that_wrote(clip_id: str) -> Select[tuple[str]]:
    """The runs whose secrets may be in the clip."""
    s, rs, r = t.steps.c, t.run_steps.c, t.runs.c
    of_steps = (
        select(rs.run_id).join(t.steps, s.id == rs.step_id).where(s.output_dataclip_id == clip_id)
    )
    return select(r.id).where(or_(r.id.in_(of_steps), r.final_dataclip_id == clip_id))


def latest_output(connection: Connection, workflow_id: str, job_id: str | None) -> str | None:
    """The clip of a job's latest success; without a job, of the workflow's. No wiped ones.

    What somebody tried, a run of one step, is no success of either. The newest successes are
    looked at first, and only so many: there may be a million, all without a content. What is
    removed goes oldest first, so there is seldom one that is older than all these.
    """
    for most in (_NEWEST, _FARTHEST):
        query = _of_workflow(workflow_id, most) if job_id is None else _of_job(job_id, most)
        found: str | None = connection.scalar(query)
        if found is not None:
            return found
    return None


#: As the conditions of the indexes say it.
_SUCCESS = literal("success", literal_execute=True)


def _of_job(job_id: str, most: int) -> Select[Any]:
    """The clip of the success that ended last."""
    s = t.steps.c
    newest = select(s.id, s.output_dataclip_id, s.finished_at).where(s.job_id == job_id)
    successes = newest.where(s.exit_reason == _SUCCESS).order_by(s.finished_at.desc())
    among = successes.limit(most).subquery()
    return (
        select(t.dataclips.c.id)
        .join(among, among.c.output_dataclip_id == t.dataclips.c.id)
        .join(t.run_steps, t.run_steps.c.step_id == among.c.id)
        .join(t.runs, t.runs.c.id == t.run_steps.c.run_id)
        .where(t.dataclips.c.wiped_at.is_(None), is_whole(t.runs.c.options))
        .order_by(among.c.finished_at.desc())
        .limit(1)
    )


def _of_workflow(workflow_id: str, most: int) -> Select[Any]:
    """The clip of the success that ended last."""
    r = t.runs.c
    newest = select(r.final_dataclip_id, r.finished_at, r.options)
    of_flow = newest.where(r.workflow_id == workflow_id, r.state == _SUCCESS)
    among = of_flow.order_by(r.finished_at.desc()).limit(most).subquery()
    return (
        select(t.dataclips.c.id)
        .join(among, among.c.final_dataclip_id == t.dataclips.c.id)
        .where(t.dataclips.c.wiped_at.is_(None), is_whole(among.c.options))
        .order_by(among.c.finished_at.desc())
        .limit(1)
    )


def wipe(tx: Transaction, clip_id: str | None) -> None:
    """Forget the content, also what could be searched of it; that it existed stays known."""
    if clip_id is None:
        return
    forget_bodies(tx, [clip_id])
    tx.connection.execute(
        update(t.dataclips)
        .where(t.dataclips.c.id == clip_id, t.dataclips.c.wiped_at.is_(None))
        .values(wiped_at=tx.now)
    )
    search.remove(tx, clips=[clip_id])


def forget_bodies(tx: Transaction, clip_ids: Iterable[str]) -> None:
    """Remove the contents of clips, and what is kept of them in blobs."""
    mine = _BODY.dataclip_id.in_(sorted(clip_ids))
    gone = tx.connection.scalars(delete(t.dataclip_bodies).where(mine).returning(_BODY.blob_id))
    blobs.drop(tx, [blob for blob in gone if blob is not None])


def object_text(given: Json) -> tuple[str, bool]:
    """A state as JSON text, and whether it had to be wrapped to be an object (4.5 rule 3).

    `given`: a text, or the value. `configuration` never is stored. Raises ValueError when the text
    is not JSON.
    """
    value = parse_document(given) if isinstance(given, str) else given
    if not isinstance(value, dict):
        return _dumps({"data": value}), True
    if "configuration" in value:
        return _dumps({key: part for key, part in value.items() if key != "configuration"}), False
    return given if isinstance(given, str) else _dumps(value), False


def _dumps(value: JsonObject) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    refuse_depth(text)
    return text
