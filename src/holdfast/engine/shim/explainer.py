"""Tells a run's author why it failed: log lines, and the diagnosis in its OUTCOME.

The catalogue is loaded when something has to be explained: most runs never need it. What it is
explained from may be forged, so no explanation may fail a run's end or hold it up.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NoReturn, TypeVar

from holdfast import log
from holdfast.engine.shim.recorder import Body, Recorder, log_line, now_text
from holdfast.model import bodies
from holdfast.model.cut import cut_object, cut_text
from holdfast.model.json import Json, JsonObject
from holdfast.model.outcome import Outcome, Reason
from holdfast.model.record import Kind

if TYPE_CHECKING:
    from holdfast.diagnosis.ending import Diagnosis, Ending

_Made = TypeVar("_Made")

#: Failed steps of one run that are explained in its log, and lines about one step that did not.
_STEPS, _FINDINGS = 5, 20
#: Bytes of the diagnosis, and of each line about the end: on a full disk all of it must fit into
#: what the journal has set aside, beside the outcome.
_DIAGNOSIS_BYTES, _LINE_BYTES = 5 * 1024, 1024
#: Processor time for one explanation: a hundred times what any needs.
_SECONDS = 2.0


class Explainer:
    """Of one run. Steps are explained when they have ended, failures when the run has."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        recorder.on_step = self._step_ended
        self._failed: list[JsonObject] = []

    def last_words(
        self, outcome: Outcome, refused: list[tuple[str, str]]
    ) -> list[tuple[Kind, Body]]:
        """The last records of the run: what failed and why, and its OUTCOME."""
        body = outcome.body(now_text())
        failed = self._failed[:_STEPS]
        if outcome.reason is Reason.SUCCESS and not failed:
            return [(Kind.OUTCOME, body)]
        known = tuple(refused)
        told = [
            bounded(lambda step=step: self._line(step, known))  # type: ignore[misc]
            for step in failed
            if not _same(step, outcome)
        ]
        lines = [line for line in told if line is not None]
        if outcome.reason is not Reason.SUCCESS:
            culprit = next((step for step in reversed(self._failed) if _same(step, outcome)), {})
            diagnosis = bounded(lambda: _diagnosed(self._ending(outcome, culprit, known)))
            if diagnosis is not None:
                body["diagnosis"] = cut_object(diagnosis.to_json(), _DIAGNOSIS_BYTES)
                lines.append(_said(diagnosis, "error", culprit.get("step_id")))
        return [*((Kind.LOG, line) for line in lines), (Kind.OUTCOME, body)]

    def _step_ended(self, body: JsonObject) -> None:
        facts = body["facts"]
        assert isinstance(facts, dict)
        if body["reason"] != Reason.SUCCESS:
            self._failed.append(body)
            del self._failed[:-_STEPS]
        if facts.get("findings"):
            from holdfast.diagnosis.diagnose import findings  # noqa: PLC0415

            told = bounded(lambda: findings(facts, str(body["job_id"]))) or []
            for finding in told[:_FINDINGS]:
                line = _said(finding, "warn", body["step_id"])
                self._recorder.append(Kind.LOG, line)

    def _ending(
        self, outcome: Outcome, culprit: JsonObject, refused: tuple[tuple[str, str], ...]
    ) -> Ending:
        from holdfast.diagnosis.ending import Ending  # noqa: PLC0415

        error = self._recorder.error or {}
        position = culprit.get("position") or error.get("position") or _hot(outcome)
        facts = culprit.get("facts") or self._recorder.facts
        place = outcome.evidence.get("place")
        step = culprit.get("job_id") or error.get("step")
        if step is None and isinstance(place, dict):
            step = place.get("step")
        return Ending(
            outcome.reason.value,
            outcome.error_type or "",
            outcome.error_message or "",
            None if step is None else str(step),
            position if isinstance(position, dict) else {},
            facts if isinstance(facts, dict) else {},
            outcome.evidence,
            refused,
            tuple(self._recorder.asked.pending.values()),
        )

    def _line(self, step: JsonObject, refused: tuple[tuple[str, str], ...]) -> bodies.Log:
        from holdfast.diagnosis.step import diagnose_step  # noqa: PLC0415

        diagnosis = diagnose_step(step, refused)
        return _said(diagnosis, "warn", step["step_id"])


def bounded(explain: Callable[[], _Made]) -> _Made | None:
    """What `explain` makes; None, with a line in the worker's log, where it fails or takes long.

    To be called in the main thread of a process.
    """
    before = signal.signal(signal.SIGVTALRM, _late)
    signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS)
    try:
        return explain()
    except Exception as error:
        log.failure("run.not_explained", error)
        return None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _late(*_: object) -> NoReturn:
    message = "the explanation took too long"
    raise TimeoutError(message)


def _hot(outcome: Outcome) -> Json:
    """The line that was running when the time was up."""
    notes = outcome.evidence.get("notes")
    return notes.get("hot") if isinstance(notes, dict) else None


def _same(step: JsonObject, outcome: Outcome) -> bool:
    return step.get("error_message") == outcome.error_message


def _diagnosed(end: Ending) -> Diagnosis | None:
    from holdfast.diagnosis.diagnose import diagnose  # noqa: PLC0415

    return diagnose(end)


def _said(diagnosis: Diagnosis, level: Literal["warn", "error"], step: object) -> bodies.Log:
    """A line for the author: code, cause and change; the place stands in the lines before it."""
    text = f"{diagnosis.code}  {diagnosis.what} Change: {diagnosis.change}"
    line = log_line(level, cut_text(text, _LINE_BYTES))
    if step:
        line["step_id"] = str(step)
    return line
