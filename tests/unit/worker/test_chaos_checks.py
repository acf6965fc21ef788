"""The chaos checks on made-up observations: each breach is noticed, each ordered fault is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chaos.checks import problems
from chaos.ledger import Ledger
from chaos.scene import Effects, Expected
from holdfast.journal import Journal, JournalReader
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from holdfast.testing.twin_run import LineRow, StepRow, TwinRun
from holdfast.worker.outbox import events
from holdfast.worker.outbox.outbox import NO_STEP

RUN = "00000000-0000-4000-8000-000000000001"
SHIM, CHILD, STRANGER = 4001, 4002, 4999
BEGAN = 1_000_000.0


@dataclass
class Scene:
    """One run as worker, platform and world saw it; each test changes one thing."""

    folder: Path
    reason: str = "success"
    error_type: str | None = None
    launched: bool = True
    notes: list[JsonObject] = field(default_factory=list)
    lost: tuple[str, ...] = ()  # events that never arrived
    swap: tuple[int, int] | None = None  # events that arrived in each other's place
    run: TwinRun = field(default_factory=lambda: TwinRun(RUN, {}, b"", {}, claims=1, joins=1))
    falsify: Callable[[TwinRun], object] = lambda _: None  # changes the platform's database
    effects: Effects = field(default_factory=Effects)
    ledger: Ledger = field(default_factory=Ledger)

    def records(self) -> list[tuple[Kind, JsonObject]]:
        launched: JsonObject = {"shim": SHIM, "pids": {"engine": CHILD}}
        start: JsonObject = {"step_id": "s1", "job_id": "first", "timestamp": "2"}
        log: JsonObject = {
            "source": "JOB", "level": "info", "message": ["line"], "timestamp": "3",
            "step_id": "s1",
        }  # fmt: skip
        closed: JsonObject = {
            "step_id": "s1", "job_id": "first", "timestamp": "5", "reason": "success",
            "output_dataclip_id": "d1", "output": {"inline": '{"data":1}'},
        }  # fmt: skip
        more: JsonObject = {**log, "message": ["more"], "timestamp": "4"}
        end: JsonObject = {
            "timestamp": "5", "reason": self.reason, "error_type": self.error_type,
            "error_message": None,
        }  # fmt: skip
        return [
            (Kind.CLAIMED, {"run_id": RUN}),
            *([(Kind.LAUNCHED, launched)] if self.launched else []),
            (Kind.RUN_START, {"timestamp": "1", "versions": {}}),
            (Kind.STEP_START, start),
            (Kind.LOG, log),
            (Kind.LOG, more),
            (Kind.STEP_COMPLETE, closed),
            (Kind.OUTCOME, end),
            *((Kind.NOTE, note) for note in self.notes),
        ]

    def found(self) -> list[str]:
        """What the checks say."""
        archive = self.folder / "archive" / RUN
        archive.mkdir(parents=True)
        with Journal.create(archive / "journal") as journal:
            for number, (kind, body) in enumerate(self.records()):
                time_us = int((BEGAN + number) * 1e6)
                journal.append(kind, json.dumps(body).encode(), time_us)
            journal.flush()
        if not self.run.events:
            sent = _sent(archive / "journal")
            self.run.events = [item for item in sent if not self.is_lost(*item)]
        if self.swap is not None:
            one, other = self.swap
            came = self.run.events
            came[one], came[other] = came[other], came[one]
        if self.run.outcome is None and "run:complete" not in self.lost:
            self.run.outcome = dict(self.run.events)["run:complete"]
            self.run.state = str(self.run.outcome["reason"])
        _store(self.run)
        self.falsify(self.run)
        if not self.effects.counts:
            self.effects.counts.update({(RUN, "first"): 1, (RUN, "second"): 1})
        expected = Expected(self.run, "plain")
        found = problems(expected, self.effects, self.ledger, self.folder, idempotent=False)
        return list(found)

    def is_lost(self, name: str, payload: Any) -> bool:
        """Of the log lines only the job's own is meant."""
        return name in self.lost and payload.get("message") in (None, ["line"])

    def blow(self, kind: str, at: float, pid: int, *, deadly: bool = True) -> None:
        blow = self.ledger.add(kind, [pid], deadly=deadly)
        blow.began = blow.ended = BEGAN + at


def _store(run: TwinRun) -> None:
    """The database of a platform that has taken these events."""
    run.finished = run.outcome is not None
    for name, body in run.events:
        if name == "step:start":
            run.steps[body["step_id"]] = StepRow(body["job_id"])
        elif name == "run:log":
            step = body.get("step_id")
            step = step if step in run.steps else None
            run.lines.append(LineRow(body["message"], step, "info", body["timestamp"]))
        elif name == "step:complete" and body["step_id"] in run.steps:
            row = run.steps[body["step_id"]]
            row.reason, row.output = body["reason"], body["output_dataclip_id"]
            run.clips[body["output_dataclip_id"]] = json.loads(body["output_dataclip"])


def _sent(path: Path) -> list[tuple[str, Any]]:
    with JournalReader(path) as reader:
        made = [event for record in reader.read() for event in events.events_of(record, None)]
    texts = [
        events.render(RUN, event, lambda document: str(document["inline"])).text for event in made
    ]
    return [(event.name, json.loads(text)) for event, text in zip(made, texts, strict=True)]


def interrupted(scene: Scene) -> None:
    scene.reason, scene.error_type = "exception", "ShimLost"


def shim_killed(scene: Scene) -> None:
    interrupted(scene)
    scene.blow("kill shim", 2, SHIM)


def child_killed(scene: Scene) -> None:
    interrupted(scene)
    scene.blow("kill everything", 2, CHILD)


def disk_error(scene: Scene) -> None:
    interrupted(scene)
    scene.blow("error journal.sync", 2, SHIM)


def plan_refused(scene: Scene) -> None:
    scene.reason, scene.error_type, scene.launched = "exception", "PlanLoadError", False
    scene.run.struck.append(("fetch:plan", "refuse"))


def log_refused(scene: Scene) -> None:
    scene.run.struck.append(("run:log", "refuse"))
    scene.notes.append({"what": "refused", "event": "run:log", "why": "{'reason': 'chaos'}"})
    scene.lost = ("run:log",)


def step_refused(scene: Scene) -> None:
    """The refusals that follow from an ordered one are the platform's own."""
    scene.run.struck.append(("step:start", "refuse"))
    note: JsonObject = {
        "what": "refused", "event": "step:start", "why": "{'reason': 'chaos'}", "step_id": "s1",
    }  # fmt: skip
    unended: JsonObject = {**note, "event": "step:complete", "why": NO_STEP}
    unknown = {"errors": {"step_id": ["must be associated with the run"]}}
    part: JsonObject = {"what": "refused in part", "event": "run:log", "why": str(unknown)}
    scene.run.refused.append(("run:log", {"message": ["line"]}, unknown))
    scene.notes += [note, part, unended]
    scene.lost = ("step:start", "step:complete")


def line_late_after_refusal(scene: Scene) -> None:
    scene.run.struck.append(("run:log", "refuse"))
    scene.swap = (3, 4)


ORDERED = [
    shim_killed, child_killed, disk_error, plan_refused, log_refused, step_refused,
    line_late_after_refusal,
]  # fmt: skip


@pytest.mark.parametrize("ordered", ORDERED)
def test_what_was_ordered_explains_what_came_of_it(
    ordered: Callable[[Scene], None], tmp_path: Path
) -> None:
    scene = Scene(tmp_path)
    ordered(scene)
    assert scene.found() == []


def test_an_undisturbed_run_has_no_problems(tmp_path: Path) -> None:
    assert Scene(tmp_path).found() == []


def killed_another(scene: Scene) -> None:
    interrupted(scene)
    scene.blow("kill shim", 2, STRANGER)


def killed_too_early(scene: Scene) -> None:
    interrupted(scene)
    scene.blow("kill shim", -5, SHIM)


def killed_too_late(scene: Scene) -> None:
    interrupted(scene)
    scene.blow("kill shim", 100, SHIM)


def only_frozen(scene: Scene) -> None:
    interrupted(scene)
    scene.blow("freeze shim", 2, SHIM, deadly=False)


def plan_not_refused(scene: Scene) -> None:
    scene.reason, scene.error_type, scene.launched = "exception", "PlanLoadError", False
    scene.run.struck.append(("fetch:dataclip", "refuse"))


def damaged(scene: Scene) -> None:
    shim_killed(scene)
    scene.error_type = "JournalDamaged"


def note_without_refusal(scene: Scene) -> None:
    scene.notes.append({"what": "refused", "event": "run:log", "why": "{'reason': 'chaos'}"})


def two_notes_of_one_refusal(scene: Scene) -> None:
    log_refused(scene)
    scene.notes.append(scene.notes[0])


def no_answer_for_no_reason(scene: Scene) -> None:
    scene.notes.append({"what": "refused", "event": "run:log", "why": "no answer"})


def unread(scene: Scene) -> None:
    scene.notes.append({"what": "unreadable", "why": "record 3 cannot be read: KeyError"})


def missing_without_note(scene: Scene) -> None:
    scene.lost = ("run:log",)


def another_event_noted(scene: Scene) -> None:
    log_refused(scene)
    scene.lost = ("run:start",)


def strange_refusal(scene: Scene) -> None:
    scene.run.refused.append(("step:start", {}, {"errors": {"job_id": ["is invalid"]}}))


def step_never_announced(scene: Scene) -> None:
    unknown = {"errors": {"step_id": ["must be associated with the run"]}}
    scene.run.refused.append(("run:log", {"message": ["line"]}, unknown))


def known_but_never_accepted(scene: Scene) -> None:
    body = {"step_id": "s9", "timestamp": "9"}
    answer = {"errors": {"step_id": ["has already been taken"]}}
    scene.run.refused.append(("step:start", body, answer))


def executed_twice(scene: Scene) -> None:
    scene.effects.counts.update({(RUN, "first"): 2, (RUN, "second"): 1})


def line_late_for_no_reason(scene: Scene) -> None:
    scene.swap = (3, 4)


def step_overtaken(scene: Scene) -> None:
    line_late_after_refusal(scene)
    scene.swap = (2, 3)


def reason_of_nobody(scene: Scene) -> None:
    scene.reason = "fail"


def output_cut_off(run: TwinRun) -> None:
    run.steps["s1"].output = None


def output_of_another(run: TwinRun) -> None:
    run.clips["d1"] = {"data": 2}


def step_open(run: TwinRun) -> None:
    run.steps["s1"].reason = None


def step_gone(run: TwinRun) -> None:
    del run.steps["s1"]


def step_of_nobody(run: TwinRun) -> None:
    run.steps["s2"] = StepRow("second")


def other_input(run: TwinRun) -> None:
    run.steps["s1"].input = "d9"


def line_without_step(run: TwinRun) -> None:
    next(line for line in run.lines if line.step_id).step_id = None


def line_of_another_step(run: TwinRun) -> None:
    next(line for line in run.lines if line.step_id).step_id = "s2"


def line_doubled(run: TwinRun) -> None:
    run.lines.append(next(line for line in run.lines if line.step_id))


def line_unmasked(run: TwinRun) -> None:
    run.lines[0].masked = False


def opened_again(run: TwinRun) -> None:
    run.finished = False


@pytest.mark.parametrize(
    ("falsify", "words"),
    [
        (output_cut_off, "the output of step first is not there"),
        (output_of_another, "the output of step first is another"),
        (step_open, "step first ended None in the database"),
        (step_gone, "step first is missing"),
        (step_of_nobody, "2 steps, of which 1 happened"),
        (other_input, "step first has the input d9"),
        (line_without_step, "lines without their step"),
        (line_of_another_step, "lines that hang on no step of theirs"),
        (line_doubled, "1 lines are there twice"),
        (line_unmasked, "lines were stored unmasked"),
        (opened_again, "the database says success"),
    ],
)
def test_a_wrong_database_is_noticed(
    falsify: Callable[[TwinRun], object], words: str, tmp_path: Path
) -> None:
    found = Scene(tmp_path, falsify=falsify).found()
    assert any(words in text for text in found), found


@pytest.mark.parametrize(
    ("breach", "words"),
    [
        (interrupted, "unexplained end exception, ShimLost"),
        (killed_another, "unexplained end"),
        (killed_too_early, "unexplained end"),
        (killed_too_late, "unexplained end"),
        (only_frozen, "unexplained end"),
        (plan_not_refused, "unexplained end exception, PlanLoadError"),
        (damaged, "a journal was damaged"),
        (note_without_refusal, "1 more notes than refusals of run:log (0 were ordered)"),
        (two_notes_of_one_refusal, "1 more notes than refusals of run:log (1 were ordered)"),
        (no_answer_for_no_reason, "nothing kept it away"),
        (unread, "a note that nothing explains"),
        (missing_without_note, "never arrived: 1 run:log"),
        (another_event_noted, "never arrived: 1 run:start"),
        (strange_refusal, "the platform refused: step:start"),
        (step_never_announced, "a step that was never announced"),
        (known_but_never_accepted, "refused as known, and never accepted"),
        (executed_twice, "touched the world 2 times"),
        (line_late_for_no_reason, "another order"),
        (step_overtaken, "another order"),
        (reason_of_nobody, "wrong outcome fail"),
    ],
)
def test_a_breach_is_noticed(breach: Callable[[Scene], None], words: str, tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    breach(scene)
    found = scene.found()
    assert any(words in text for text in found), found


def test_a_lost_run_is_noticed(tmp_path: Path) -> None:
    scene = Scene(tmp_path, lost=("run:complete",))
    assert [text.partition(":")[0] for text in scene.found()] == ["lost"]


def test_the_ledger_reads_whole_lines_of_a_growing_log(tmp_path: Path) -> None:
    struck, ledger = tmp_path / "struck", Ledger()
    line = json.dumps({"point": "shim.record", "action": "kill", "pid": 7, "time": 5.0}) + "\n"
    struck.write_text(line + line[:10])
    assert [blow.kind for blow in ledger.read(struck)] == ["kill shim.record"]
    struck.write_text(line + line)
    assert len(ledger.read(struck)) == 1
    assert ledger.deadly({7}, 4, 6) is not None
    assert ledger.deadly({8}, 4, 6) is None
    assert ledger.counts() == {"kill shim.record": 2}
