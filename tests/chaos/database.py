"""What the platform's database holds in the end, compared with what the run did."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from chaos.journals import Archived, ToldStep
from holdfast.model.json import Json
from holdfast.testing.twin_run import StepRow, TwinRun

#: Messages of log lines that may be under way, and lost, at once: each rejoin may double so many.
IN_FLIGHT = 64
#: A secret that cannot be fetched again after so many attempts keeps no line waiting.
FETCHES = 3


def problems(run: TwinRun, ended: Archived, *, idempotent: bool, again: int = 0) -> Iterator[str]:
    """Outputs are there, lines hang on their steps, nothing is there twice, the state is final.

    `again`: how often the delivery may have begun again on a channel that it kept.
    """
    assert ended.outcome is not None
    if run.state != ended.outcome["reason"] or not run.finished:
        yield f"the database says {run.state}, the journal {ended.outcome['reason']}"
    refused = {note.get("step_id") for note in ended.notes if note["what"] == "refused"}
    less = refused | {note.get("step_id") for note in ended.notes if note["what"] != "renamed"}
    there: dict[str | None, str | None] = {}  # id of an output in the journal -> in the database
    # A refusal may come for an end that is stored already; later ones do not name its output.
    withheld = {step.output_id for step in ended.steps if step.id in refused}
    for step in ended.steps:
        row = run.steps.get(step.id)
        if row is None:
            there[step.output_id] = None
            if step.id not in refused:
                yield f"step {step.job_id} is missing"
            continue
        if row.input is None and step.input_id in withheld:
            there[step.input_id] = None
        yield from _step_problems(run, step, row, there, noted=step.id in less)
        there[step.output_id] = row.output
    if len(run.steps) > len(ended.steps):
        yield f"{len(run.steps)} steps, of which {len(ended.steps)} happened"
    final = run.outcome.get("final_dataclip_id") if run.outcome else None
    if final is not None and final not in run.clips:
        yield f"the run ends with the dataclip {final}, which is not there"
    yield from _line_problems(
        run, ended, refused, idempotent=idempotent, again=run.joins - 1 + again
    )


def _step_problems(
    run: TwinRun, step: ToldStep, row: StepRow, there: dict[str | None, str | None], *, noted: bool
) -> Iterator[str]:
    known = there.get(step.input_id, step.input_id)
    if row.input != known and not noted and not _same_clip(run, row.input, known):
        yield f"step {step.job_id} has the input {row.input}, not {step.input_id} as told"
    if step.reason is None or noted:
        return
    if row.reason != step.reason:
        yield f"step {step.job_id} ended {row.reason} in the database, {step.reason} in truth"
    if step.output_id is not None:
        body = run.clips.get(row.output or "")
        if body is None:
            yield f"the output of step {step.job_id} is not there"
        elif step.output is not None and body != json.loads(step.output):
            yield f"the output of step {step.job_id} is another: {str(body)[:100]}"
        elif step.output is None and run.id not in json.dumps(body):
            yield f"the large output of step {step.job_id} is another: {str(body)[:100]}"


def _same_clip(run: TwinRun, one: str | None, other: str | None) -> bool:
    """Whether both are outputs of this run that say the same.

    The channel of a connection that was cut works off what waits in its mailbox, perhaps when the
    next one has stored the end of the step again under another id.
    """
    bodies = [run.clips.get(name or "") for name in (one, other)]
    return bodies[0] is not None and bodies[0] == bodies[1]


def _line_problems(
    run: TwinRun, ended: Archived, refused: set[Json], *, idempotent: bool, again: int
) -> Iterator[str]:
    told = {(message, step) for message, step in ended.lines}
    stored = Counter((json.dumps(line.message), line.step_id) for line in run.lines)
    own = {key: number for key, number in stored.items() if key in told}
    strays = [
        key for key in stored
        if key not in told and key[1] is not None  # lines of the worker itself have no step
    ]  # fmt: skip
    if strays:
        yield f"lines that hang on no step of theirs: {strays[:3]}"
    loose = [
        (message, step) for message, step in told
        if step is not None and step not in refused
        and (message, step) not in stored and (message, None) in stored
    ]  # fmt: skip
    if loose and not any(event == "step:start" for event, _ in run.struck):
        yield f"lines without their step: {loose[:3]}"
    doubled = sum(number - 1 for number in own.values())
    if doubled > (0 if idempotent else IN_FLIGHT * again):
        yield f"{doubled} lines are there twice, and lines went again {again} times"
    if not ended.launched:
        return  # no line of a job, and perhaps no credential was had
    fetches = sum(event == "fetch:credential" for event, _ in run.struck)
    if not idempotent and fetches < FETCHES and not all(line.masked for line in run.lines):
        yield "lines were stored unmasked: the credentials were not fetched again in time"
