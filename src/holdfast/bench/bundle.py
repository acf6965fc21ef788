"""A run as one file: what was executed, what came in, what other systems answered, what came out.

Made from the folder of a run that was recorded (docs/author.md, "Replay a run"). Nothing secret is
in it: known secrets were masked in the run itself, others go by their names (`masks`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import cast

from holdfast.bench.masks import masked, masked_text, masked_url
from holdfast.journal import JournalReader, Record, RunFolder
from holdfast.journal.blobs import blob_path
from holdfast.model.errors import UsageError
from holdfast.model.json import Json, JsonObject, parse_document
from holdfast.model.record import Kind

VERSION = 1
MEBIBYTE = 1024 * 1024
#: Bytes of a bundle, unless the author says otherwise.
MOST_MB = 20
#: Answers smaller than this are never left out to save room. Bytes.
_SMALL = 4096


@dataclass(slots=True)
class RecordedStep:
    """One step as it ran.

    `came_from`: the place of the step whose output it got; None: the input. `tape`: clock and
    random numbers. `output`: JSON text without secrets; None where there is none.
    """

    id: str
    reason: str
    came_from: int | None
    tape: JsonObject
    configuration: Json
    output: str | None


@dataclass(slots=True)
class Bundle:
    """All that is needed to run it again."""

    run_id: str
    plan: JsonObject
    input: Json
    adaptors: JsonObject
    outcome: JsonObject
    steps: list[RecordedStep]
    exchanges: list[JsonObject]
    #: What the bundle lacks, for people.
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> JsonObject:
        """As it stands in its file."""
        return {"holdfast_run": VERSION, **cast("JsonObject", asdict(self))}

    @property
    def workflow(self) -> JsonObject:
        """The workflow of its plan."""
        return cast("JsonObject", self.plan["workflow"])

    @property
    def code(self) -> dict[str, JsonObject]:
        """Steps of the plan by id."""
        return {str(s["id"]): s for s in cast("list[JsonObject]", self.workflow["steps"])}


def bundle_of(
    folder: RunFolder,
    *,
    most_mb: float = MOST_MB,
    marked: frozenset[str] = frozenset(),
    untaped: bool = False,
) -> Bundle:
    """The bundle of a run that was recorded. Raises UsageError where it was not.

    `untaped`: also of one that ended before any of its steps did.
    """
    with JournalReader(folder.journal) as reader:
        made = _Maker(folder, marked)
        for record in reader.read():
            made.take(record)
    bundle = made.bundle(untaped=untaped)
    _fit(bundle, most_mb)
    return bundle


class _Maker:
    """Reads a journal into a bundle."""

    def __init__(self, folder: RunFolder, marked: frozenset[str]) -> None:
        self._folder, self._marked = folder, marked
        self._run_id = folder.path.name
        self._adaptors: JsonObject = {}
        self._outcome: JsonObject = {}
        self._steps: list[RecordedStep] = []
        self._exchanges: list[JsonObject] = []
        self._input: Json = None
        self._inputs: dict[str, str | None] = {}
        self._clips: dict[str, int] = {}
        self._notes: list[str] = []
        self._taped = False

    def take(self, record: Record) -> None:
        """Read one record."""
        body = record.json()
        if record.kind == Kind.CLAIMED:
            self._run_id = str(body.get("run_id"))
        elif record.kind == Kind.PREPARED:
            self._adaptors = cast("JsonObject", body.get("adaptors") or {})
        elif record.kind == Kind.STEP_START:
            clip = body.get("input_dataclip_id")
            self._inputs[str(body["step_id"])] = None if clip is None else str(clip)
        elif record.kind == Kind.REQUEST and body.get("what") in ("answered", "failed"):
            self._exchange(body)
        elif record.kind == Kind.STEP_COMPLETE:
            self._step(body)
        elif record.kind == Kind.OUTCOME:
            words = ("reason", "error_type", "error_message", "diagnosis")
            self._outcome = {word: body[word] for word in words if word in body}

    def _exchange(self, body: JsonObject) -> None:
        text = self._document(body.get("exchange"))
        if text is None:
            if body["what"] == "failed":
                names = ("method", "host", "path", "error")
                self._exchanges.append({name: body.get(name) for name in names})
            return
        found = cast("JsonObject", json.loads(text))
        found["url"] = masked_url(str(found["url"]), marked=self._marked)
        found["headers"] = masked(found.get("headers"), marked=self._marked)
        for key in ("asked", "answer"):
            part = found.get(key)
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                part["text"] = masked_text(str(part["text"]), marked=self._marked)
                if part.get("cut"):
                    self._notes.append(f"{key} of {found['method']} {found['url']} is cut")
        self._exchanges.append(found)

    def _step(self, body: JsonObject) -> None:
        text = self._document(body.get("tape"))
        tape = cast("JsonObject", json.loads(text)) if text is not None else {}
        self._taped = self._taped or text is not None
        if isinstance(given := tape.pop("input", None), str):
            self._input = masked(parse_document(given), marked=self._marked)
        output = tape.pop("output", None)
        clip = self._inputs.get(str(body["step_id"]))
        if (left := body.get("output_dataclip_id")) is not None:
            self._clips[str(left)] = len(self._steps)
        step = RecordedStep(
            str(body["job_id"]),
            str(body["reason"]),
            self._clips.get(clip) if clip is not None else None,
            tape,
            masked(tape.pop("configuration", None), marked=self._marked),
            None if output is None else masked_text(str(output), marked=self._marked),
        )
        self._steps.append(step)

    def _document(self, document: Json) -> str | None:
        if not isinstance(document, dict):
            return None
        if "inline" in document:
            return str(document["inline"])
        try:
            path = blob_path(self._folder.path, str(document.get("blob")))
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            self._notes.append("a document of the run is gone")
            return None

    def bundle(self, *, untaped: bool) -> Bundle:
        """All of it. Raises UsageError."""
        if not (self._taped or untaped):
            message = f"run {self._run_id} was not recorded"
            raise UsageError(
                message,
                fix="Its project must agree first: `record: true` in project.yaml, deployed before"
                " the run. Here: `holdfast run FILE --record RUN.json`.",
            )
        try:
            plan = parse_document(self._folder.plan.read_text(encoding="utf-8"))
        except OSError as error:
            message = f"the plan of run {self._run_id} is gone: {error.strerror}"
            raise UsageError(message) from None
        plan = masked_plan(cast("JsonObject", plan), self._marked)
        return Bundle(
            self._run_id, plan, self._input, self._adaptors, self._outcome,
            self._steps, self._exchanges, self._notes,
        )  # fmt: skip


def masked_plan(plan: JsonObject, marked: frozenset[str]) -> JsonObject:
    """A plan without credentials that stand in it; the code stays as it is."""
    workflow = dict(cast("JsonObject", plan["workflow"]))
    workflow.pop("credentials", None)
    steps = [dict(step) for step in cast("list[JsonObject]", workflow["steps"])]
    for step in steps:
        if isinstance(step.get("configuration"), dict):
            step["configuration"] = masked(step["configuration"], marked=marked)
    return {**plan, "workflow": {**workflow, "steps": [*steps]}}


def _fit(bundle: Bundle, most_mb: float) -> None:
    """Leave the largest answers out until the bundle is no larger than it may be."""
    room = round(most_mb * MEBIBYTE)
    size = len(json.dumps(bundle.to_json()))
    answers = [found for found in bundle.exchanges if isinstance(found.get("answer"), dict)]
    for found in sorted(answers, key=_answer_bytes, reverse=True):
        if size <= room or _answer_bytes(found) < _SMALL:
            return
        size -= _answer_bytes(found)
        found["answer"] = {"bytes": _answer_bytes(found), "left_out": True}
        bundle.notes.append(
            f"the answer to {found['method']} {found['url']} is left out: too large"
        )


def _answer_bytes(found: JsonObject) -> int:
    answer = cast("JsonObject", found["answer"])
    return len(str(answer.get("text") or answer.get("base64") or ""))
