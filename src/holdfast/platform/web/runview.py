"""Everything that the page of one run shows but its log and documents, read from the database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from holdfast.model.json import JsonObject
from holdfast.model.outcome import RunState
from holdfast.platform.causes.naming import NO_NAMES, Names
from holdfast.platform.store import log_windows, steps, workflows
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.runs import cancel_asked, run_to_show
from holdfast.platform.store.snapshots import parts_of
from holdfast.platform.web.code import CodeLine, frame, numbered
from holdfast.platform.web.data import attempts
from holdfast.platform.web.diagnosed import Shown, diagnosed
from holdfast.platform.web.examined import Examined, examined
from holdfast.platform.web.explain import error_words, explain
from holdfast.platform.web.language import say
from holdfast.platform.web.naming import read_names
from holdfast.platform.web.positions import of_workflow
from holdfast.platform.web.render import shorten
from holdfast.platform.web.spanbars import Drawn
from holdfast.platform.web.spans import Call, Operation, Told, told
from holdfast.platform.web.timeline import Memory, Timeline, of_steps, timeline
from holdfast.platform.web.words import STEP_STATES, handled_words

#: Steps that a page has, and characters of an error and of a job's code.
STEPS, _ERROR, _CODE = 500, 20_000, 50_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a run is to be selected: a step that has run, or a job of its workflow."""

    step_id: str | None = None
    job_id: str | None = None
    #: An operation or a request of the step (`web.spans`); whether all of them are to be listed.
    span: str | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happened, whose turn it is, what to do; and where in the code."""

    what: str
    error: str | None
    change: str | None
    #: The cause from the catalogue, where there is one.
    told: Shown | None = None
    where: str | None = None
    #: The step that the place belongs to, and the lines around it.
    step_id: str | None = None
    frame: list[CodeLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of a run before anything is chosen. `failed`: its steps without success."""

    connection: Connection
    row: Row
    parts: dict[str, Any]
    jobs: dict[str, Any]
    names: Names
    steps: list[Row]
    failed: list[Row]
    told: Shown | None


def run_view(connection: Connection, run_id: str, asked: Asked, now: int) -> dict[str, Any] | None:
    """None: there is no such run."""
    row = run_to_show(connection, run_id)
    if row is None:
        return None
    facts = _facts(connection, row)
    found, parts = facts.steps, facts.parts
    named = workflows.names_of(connection, row.workflow_id)
    seen = examined(row.postmortem, facts.names)
    chosen = _chosen(facts, asked)
    job_id = chosen.job_id if chosen is not None else _job(asked, facts)
    job = facts.jobs.get(job_id or "")
    spans = told(row.spans)
    span = spans.find(chosen.id, asked.span) if chosen is not None else None
    operation = spans.operation_of(span)
    drawn = Drawn(spans, chosen.id if chosen is not None else None, asked.span, asked.whole)
    return {
        "run": row,
        "workflow_name": named.name,
        "places": of_workflow(named.kept),
        "project_name": named.project_name,
        "parts": parts,
        "jobs": facts.jobs,
        "steps": found,
        "chosen": chosen,
        "job": job,
        "code": numbered(str(job["body"])[:_CODE], *_place(facts, chosen, job_id)) if job else [],
        "step_error": _step_error(chosen, facts.names),
        "states": {s.job_id: STEP_STATES.get(s.exit_reason or "", "started") for s in found},
        "step_ids": {s.job_id: s.id for s in found},
        "taken": _taken(row, found, parts),
        "final": RunState(row.state).final,
        "names": facts.names,
        "notes": json.loads(row.notes or "[]"),
        "cancelling": cancel_asked(row),
        "handled": len(facts.failed) if row.state == RunState.SUCCESS.value else 0,
        "verdict": _verdict(facts),
        "explained": None if facts.told is None else explain(row.state, row.error_type).what,
        "examined": seen,
        "timeline": _timeline(facts, now, seen, drawn),
        "span": span,
        "whole": asked.whole,
        "span_line": operation.line if operation is not None else None,
        "requests": _requests(spans, chosen, operation),
        "spans_left_out": spans.left_out,
        "requests_beyond": spans.beyond,
        "more_steps": len(found) == STEPS,
        "attempts": attempts(connection, row.work_order_id),
    }


def _facts(connection: Connection, row: Row) -> _Facts:
    parts = parts_of(connection, row.snapshot_id)
    names = read_names(connection, parts)
    found = steps.steps_of(connection, row.id, STEPS)
    return _Facts(
        connection,
        row,
        parts,
        {job["id"]: job for job in parts["jobs"]},
        names,
        found,
        [step for step in found if step.exit_reason not in {None, "success"}],
        diagnosed(row.postmortem, row.state, row.error_type, row.error_message, names),
    )


def names_in(connection: Connection, run_id: str) -> Names:
    """What the ids in a run's log stand for."""
    row = run_to_show(connection, run_id)
    if row is None:
        return NO_NAMES
    return read_names(connection, parts_of(connection, row.snapshot_id))


def _chosen(facts: _Facts, asked: Asked) -> Row | None:
    """The step that was asked for; else the one that failed; else the last."""
    if asked.step_id:
        step = steps.find_step(facts.connection, facts.row.id, asked.step_id)
        if step is not None:
            return step
    if asked.job_id:
        return _last(facts.steps, asked.job_id)
    told = facts.told
    if told is not None and told.job_id and (step := _last(facts.steps, told.job_id)) is not None:
        return step
    return facts.failed[-1] if facts.failed else facts.steps[-1] if facts.steps else None


def _last(found: Sequence[Row], job_id: str) -> Row | None:
    return next((step for step in reversed(found) if step.job_id == job_id), None)


def _job(asked: Asked, facts: _Facts) -> str | None:
    """The job that is shown where no step of it has run."""
    if asked.job_id in facts.jobs:
        return asked.job_id
    return facts.told.job_id if facts.told is not None else None


def _place(facts: _Facts, step: Row | None, job_id: str | None) -> tuple[int | None, int | None]:
    """Line and column of the error in the code of the job that is shown."""
    told = facts.told
    if told is not None and told.line and job_id is not None and told.job_id == job_id:
        return told.line, told.column
    return _logged(facts, step)


def _logged(facts: _Facts, step: Row | None) -> tuple[int | None, int | None]:
    """The place as the worker has logged it."""
    if step is None or step.exit_reason in {None, "success"}:
        return None, None
    found = log_windows.error_place(facts.connection, facts.row.id, step.id)
    return found or (None, None)


def _taken(row: Row, found: Sequence[Row], parts: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Edges along which the run has gone: a step begins with what the one before it has left."""
    begun = row.starting_trigger_id or row.starting_job_id
    sources: dict[str, set[str]] = {}
    for edge in parts["edges"]:
        source = edge["source_trigger_id"] or edge["source_job_id"]
        sources.setdefault(edge["target_job_id"], set()).add(source)
    taken = {(begun, s.job_id) for s in found if begun in sources.get(s.job_id, ())}
    for step in found:
        before = [s for s in found if s.job_id in sources.get(step.job_id, ())]
        same = [s for s in before if s.output_dataclip_id == step.input_dataclip_id]
        taken |= {(s.job_id, step.job_id) for s in same or before}
    return taken


def _step_error(step: Row | None, names: Names) -> str | None:
    if step is None or not (step.error_message or step.error_type):
        return None
    return shorten(names.words(error_words(step.error_type, step.error_message)), _ERROR)


def _verdict(facts: _Facts) -> Verdict:
    row, told = facts.row, facts.told
    words = facts.names.words(error_words(row.error_type, row.error_message))
    error = shorten(words, _ERROR) or None
    if row.state == RunState.SUCCESS.value and facts.failed:
        return _handled(facts)
    explained = explain(row.state, row.error_type)
    if told is None:
        return Verdict(explained.what, error, explained.advice)
    job, step = facts.jobs.get(told.job_id or ""), _last(facts.failed, told.job_id or "")
    line, column = (told.line, told.column) if told.line else _logged(facts, step)
    return Verdict(
        told.what or explained.what,
        error,
        told.change or explained.advice,
        told,
        _where(job, line, column),
        step.id if step is not None else None,
        frame(str(job["body"]), line, column) if job else _only(told),
    )


def _only(told: Shown) -> list[CodeLine]:
    """The line that the worker sent, where its job is not known here."""
    if told.src is None or told.line is None:
        return []
    marked = frame(told.src, 1, told.column)[0]
    return [CodeLine(told.line, marked.text, marked.caret)]


def _handled(facts: _Facts) -> Verdict:
    step = facts.failed[-1]
    job = facts.jobs.get(step.job_id)
    line, column = _logged(facts, step)
    return Verdict(
        say("%(handled)s: the workflow went on.", handled=handled_words(len(facts.failed))),
        _step_error(step, facts.names),
        say("Nothing has to be done if this was expected. Otherwise look at the failed step."),
        None,
        _where(job, line, column),
        step.id,
        frame(str(job["body"]), line, column) if job else [],
    )


def _where(job: Mapping[str, Any] | None, line: int | None, column: int | None) -> str | None:
    parts = [say('Step "%(job)s"', job=job["name"])] if job else []
    if line:
        parts.append(say("line %(line)s", line=line))
    if line and column:
        parts.append(say("column %(column)s", column=column))
    return ", ".join(parts) or None


def _requests(spans: Told, chosen: Row | None, operation: Operation | None) -> list[Call]:
    """Of the chosen step, or of its chosen operation."""
    found = [call for call in spans.calls if chosen is not None and call.step_id == chosen.id]
    if operation is not None:
        found = [call for call in found if call.operation == operation.number]
    return found


def _timeline(facts: _Facts, now: int, seen: Examined | None, drawn: Drawn) -> Timeline:
    row, found = facts.row, facts.steps
    titles = {key: str(job["name"]) for key, job in facts.jobs.items()}
    limit = drawn.told.limit_mb or json.loads(row.options).get("run_memory_limit_mb")
    sampled = [(at, used) for at, used, _ in drawn.told.samples]
    ends = of_steps(found, [_object(step.mem) for step in found])
    if len(sampled) > max(1, len(ends)):
        memory = Memory(sampled, (seen.limit_mb if seen is not None else None) or limit)
    elif seen is not None and len(seen.samples) > 1:
        memory = Memory(seen.samples, seen.limit_mb)
    else:
        given = seen.limit_mb if seen is not None else None
        memory = Memory(ends, given or limit)
    return timeline(row, found, titles, now, memory, drawn=drawn)


def _object(text: str | None) -> JsonObject:
    value = json.loads(text) if text else None
    return value if isinstance(value, dict) else {}
