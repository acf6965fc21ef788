"""From the journal of a recorded run to one file, and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.bench.bundle import Bundle, bundle_of
from holdfast.bench.bundle_file import read_bundle, write_bundle
from holdfast.journal import Journal, RunFolder
from holdfast.model.errors import UsageError
from holdfast.model.json import Json, JsonObject
from holdfast.model.record import Kind

CANARY = "canary-88a1"
PLAN: JsonObject = {
    "workflow": {
        "name": "w",
        "steps": [
            {"id": "a", "expression": "fn(s => s)", "configuration": {"password": CANARY}},
            {"id": "b", "expression": "fn(s => s)"},
        ],
    },
    "options": {},
}


def inline(value: Json) -> JsonObject:
    return {"inline": json.dumps(value)}


def tape(**more: Json) -> JsonObject:
    return inline({"job": [1], "host": [], "seed": [1, 2, 3, 4], "bytes": [], **more})


def recorded(folder: Path, *records: tuple[Kind, JsonObject]) -> RunFolder:
    run = RunFolder.create(folder, "run-1")
    run.plan.write_text(json.dumps(PLAN))
    with Journal.create(run.journal) as journal:
        for kind, body in records:
            journal.append(kind, json.dumps(body).encode())
        journal.flush()
    return run


def exchange(answer: str) -> JsonObject:
    found: JsonObject = {
        "method": "GET", "url": f"https://a.org/p?token={CANARY}", "status": 200, "headers": {},
        "answer": {"text": answer, "bytes": len(answer)},
    }  # fmt: skip
    return {"what": "answered", "number": 1, "exchange": inline(found)}


def steps() -> list[tuple[Kind, JsonObject]]:
    given = json.dumps({"data": {"apiKey": CANARY, "n": 1}})
    output = json.dumps({"data": {"session": CANARY}})
    return [
        (Kind.STEP_START, {"step_id": "1", "job_id": "a", "input_dataclip_id": "in"}),
        (
            Kind.STEP_COMPLETE,
            {
                "step_id": "1", "job_id": "a", "reason": "success", "output_dataclip_id": "c1",
                "tape": tape(input=given, output=output, configuration={"password": CANARY}),
            },
        ),
        (Kind.STEP_START, {"step_id": "2", "job_id": "b", "input_dataclip_id": "c1"}),
        (
            Kind.STEP_COMPLETE,
            {"step_id": "2", "job_id": "b", "reason": "fail", "tape": tape(output='{"data":2}')},
        ),
        (Kind.OUTCOME, {"reason": "fail", "error_type": "JobError"}),
    ]  # fmt: skip


def test_a_bundle_has_what_a_replay_needs_and_nothing_secret(tmp_path: Path) -> None:
    answer = json.dumps({"access_token": CANARY, "n": 2})
    made = bundle_of(recorded(tmp_path, (Kind.REQUEST, exchange(answer)), *steps()))
    assert [(step.id, step.came_from) for step in made.steps] == [("a", None), ("b", 0)]
    assert made.steps[1].output == '{"data":2}'
    assert made.steps[0].tape["seed"] == [1, 2, 3, 4]
    assert made.outcome["error_type"] == "JobError"
    path = tmp_path / "run.json"
    write_bundle(made, path)
    assert CANARY not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    assert read_bundle(path) == made


def test_the_largest_answers_are_left_out_where_there_is_no_room(tmp_path: Path) -> None:
    answers = ("x" * 20_000, "y" * 6000, "z")
    records = [(Kind.REQUEST, {**exchange(text), "number": n}) for n, text in enumerate(answers)]
    made = bundle_of(recorded(tmp_path, *records, *steps()), most_mb=0.01)
    kept = [found["answer"] for found in made.exchanges]
    assert kept[0] == {"bytes": 20_000, "left_out": True}
    assert [isinstance(item, dict) and item.get("text") for item in kept[1:]] == ["y" * 6000, "z"]
    assert any("left out" in note for note in made.notes)


def test_a_run_that_was_not_recorded_is_refused_with_what_to_change(tmp_path: Path) -> None:
    ended: JsonObject = {"step_id": "1", "job_id": "a", "reason": "success"}
    with pytest.raises(UsageError) as caught:
        bundle_of(recorded(tmp_path, (Kind.STEP_COMPLETE, ended)))
    assert "record: true" in str(caught.value.fix)


def test_a_bundle_knows_its_steps() -> None:
    made = Bundle("r", PLAN, None, {}, {}, [], [])
    assert list(made.code) == ["a", "b"]
