"""What of a run is written when its disk has no room."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from holdfast.engine.frames import FromRun
from holdfast.engine.shim.recorder import (
    MAX_OPEN_STEPS,
    DocumentsTooLarge,
    ProtocolViolation,
    Recorder,
)
from holdfast.journal import RESERVE, Journal, JournalReader
from holdfast.journal import writer as writer_module
from holdfast.model.classify import classify
from holdfast.model.evidence import Evidence, Place
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind

LINE: JsonObject = {"source": "JOB", "level": "info", "message": ["x" * 1000], "timestamp": "1"}
START: JsonObject = {"step_id": "s", "job_id": "a", "timestamp": "2"}
COMPLETE: JsonObject = {**START, "reason": "success", "output": {"inline": "{}"}}
TIME = "3"
RESULT: JsonObject = {"timestamp": TIME, "reason": "success", "final_state": {"inline": "{}"}}
OUTCOME: list[tuple[Kind, JsonObject]] = [(Kind.OUTCOME, {"reason": "success"})]


def frame(recorder: Recorder, kind: Kind, body: JsonObject) -> None:
    recorder.frame("engine", kind, json.dumps(body).encode())


def records(folder: Path) -> list[tuple[Kind, JsonObject]]:
    with JournalReader(folder / "journal") as reader:
        return [(Kind(item.kind), item.json()) for item in reader.read()]


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    journal = Journal.create(tmp_path / "journal")
    recorder = Recorder(journal, tmp_path, 1 << 20)
    frame(recorder, Kind.LOG, LINE)
    journal.flush()
    return recorder


def fill_the_disk(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no more room than the journal has set aside."""
    monkeypatch.setattr(writer_module, "_allocate", lambda *_: errno.ENOSPC)
    real, size = os.pwrite, recorder.journal.size

    def full(file: int, data: bytes, offset: int) -> int:
        if offset + len(data) > size + RESERVE:
            del data  # else the traceback holds what the journal is about to shorten
            raise OSError(errno.ENOSPC, "full")
        return real(file, data, offset)

    monkeypatch.setattr(os, "pwrite", full)


@pytest.mark.parametrize("letter", ["\x01", "\udfff", "\U0001f600"])
def test_the_largest_end_of_a_run_fits_on_a_full_disk(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, letter: str
) -> None:
    words: JsonObject = {"error_type": letter * 1000, "error_message": letter * 17_000}
    for number in range(MAX_OPEN_STEPS):
        frame(recorder, Kind.STEP_START, {**START, "step_id": f"s{number}", "job_id": "j" * 700})
    recorder.journal.flush()
    fill_the_disk(recorder, monkeypatch)
    for _ in range(300):
        frame(recorder, Kind.LOG, LINE)
    frame(recorder, Kind.RUN_ERROR, {**words, "timestamp": TIME, "severity": "crash"})
    place = Place("step", letter * 1000, None, letter * 1000)
    outcome = classify(Evidence(said_error=recorder.error, stderr_tail=letter * 4096, place=place))
    last = recorder.closing_records(outcome, 0)
    last.append((Kind.OUTCOME, outcome.body(TIME)))
    assert not recorder.write_end(last)
    assert recorder.write_end(last)
    kinds = [kind for kind, _ in records(tmp_path)]
    assert kinds.count(Kind.STEP_COMPLETE) == MAX_OPEN_STEPS
    assert str(records(tmp_path)[-1][1]["error_message"]).startswith(letter * 100)


def test_open_steps_have_short_names(recorder: Recorder) -> None:
    for number in range(6):
        frame(recorder, Kind.STEP_START, {**START, "step_id": f"{number}" + "\x01" * 300})
    with pytest.raises(ProtocolViolation, match="names of the open steps are too long"):
        frame(recorder, Kind.STEP_START, {**START, "step_id": "\x01" * 300})


@pytest.mark.parametrize("started_before", [True, False])
def test_without_room_for_its_lines_steps_and_result_are_kept(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started_before: bool
) -> None:
    if started_before:
        frame(recorder, Kind.STEP_START, START)
        recorder.journal.flush()
    fill_the_disk(recorder, monkeypatch)
    if not started_before:
        frame(recorder, Kind.STEP_START, START)
    for _ in range(300):
        frame(recorder, Kind.LOG, LINE)
    frame(recorder, Kind.STEP_COMPLETE, COMPLETE)
    frame(recorder, Kind.RESULT, RESULT)
    assert not recorder.write_end(OUTCOME)
    assert recorder.write_end(OUTCOME)
    found = dict(records(tmp_path)[1:])
    assert [kind for kind, _ in records(tmp_path)].count(Kind.LOG) == 2
    assert "300 records" in str(found[Kind.LOG]["message"])
    assert found[Kind.STEP_START] == START
    assert found[Kind.STEP_COMPLETE] == {**COMPLETE, "output": {"omitted": True}}
    assert found[Kind.RESULT] == RESULT
    assert records(tmp_path)[-1] == OUTCOME[0]
    assert [item[0] for item in records(tmp_path)[-3:-1]] == [Kind.STEP_COMPLETE, Kind.RESULT]


def test_a_disk_that_fails_for_a_moment_costs_nothing(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_file: int, data: bytes, _offset: int) -> int:
        del data
        raise OSError(errno.EIO, "broken")

    frame(recorder, Kind.STEP_START, START)
    frame(recorder, Kind.STEP_COMPLETE, COMPLETE)
    frame(recorder, Kind.RESULT, RESULT)
    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", failing)
        assert not recorder.write_end(OUTCOME)
        assert not recorder.write_end(OUTCOME)
    assert recorder.write_end(OUTCOME)
    wanted = [Kind.LOG, Kind.STEP_START, Kind.STEP_COMPLETE, Kind.RESULT, Kind.OUTCOME]
    assert [kind for kind, _ in records(tmp_path)] == wanted
    assert records(tmp_path)[2] == (Kind.STEP_COMPLETE, COMPLETE)


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind.LOG, f'{{"source":"JOB","level":"info","message":{deep(500)},"timestamp":"1"}}'),
        (Kind.LOG, '{"source":"JOB","level":"info","message":[NaN],"timestamp":"1"}'),
        (Kind.LOG, '{"source":"JOB","level":"loud","message":[],"timestamp":"1"}'),
        (Kind.LOG, '{"source":"JOB","level":"info","message":"x","timestamp":1}'),
        (Kind.LOG, '{"level":"info","message":[]}'),
        (Kind.PHASE, '{"phase":"step","operation":1e999}'),
        (Kind.PHASE, '{"phase":"step","step":["a"]}'),
        (Kind.STEP_START, '{"step_id":"s","job_id":null,"timestamp":"1"}'),
        (Kind.RESULT, '{"timestamp":"1","reason":"fine"}'),
        (Kind.RESULT, '{"timestamp":"1","reason":"success","final_state":{"blob":"0"}}'),
        (Kind.RESULT, '{"timestamp":"1","reason":"success","final_state":{}}'),
        (Kind.RESULT, '{"timestamp":"1","reason":"success","final_state":{"stream":1}}'),
        (
            Kind.RESULT,
            '{"timestamp":"1","reason":"success","final_state":{"omitted":true,"inline":""}}',
        ),
        (Kind.RUN_ERROR, '{"timestamp":"1","error_type":"E","error_message":1,"severity":"fail"}'),
        (Kind.RUN_ERROR, f'{{"details":{deep(300)}}}'),
        (Kind.REPORT, "{}"),
        (Kind.SAMPLE, '{"memory_mb":1,"at":1}'),
        (Kind.OUTCOME, "{}"),
        (Kind.NOTE, '{"what":"x"}'),
    ],
)
def test_a_record_that_no_honest_engine_writes_ends_the_run(
    recorder: Recorder, kind: Kind, body: str
) -> None:
    before = recorder.journal.sequence
    with pytest.raises(ProtocolViolation, match=f"{kind.name}|type {kind.value}|final_state"):
        recorder.frame("engine", kind, body.encode())
    assert recorder.journal.sequence == before


def test_an_infinite_duration_ends_the_run(recorder: Recorder) -> None:
    frame(recorder, Kind.STEP_START, START)
    body = json.dumps({**COMPLETE, "duration": 1}).replace('"duration": 1', '"duration": 1e999')
    with pytest.raises(ProtocolViolation, match="infinite"):
        recorder.frame("engine", Kind.STEP_COMPLETE, body.encode())


def test_steps_that_are_open_are_few(recorder: Recorder) -> None:
    for number in range(MAX_OPEN_STEPS):
        frame(recorder, Kind.STEP_START, {**START, "step_id": f"{number}"})
    with pytest.raises(ProtocolViolation, match="open at once"):
        frame(recorder, Kind.STEP_START, START)
    assert len(recorder.open_steps) == MAX_OPEN_STEPS


def test_steps_of_a_run_are_counted(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.engine.shim.recorder.MAX_STEPS", 5)
    for _ in range(5):
        frame(recorder, Kind.STEP_START, START)
        frame(recorder, Kind.STEP_COMPLETE, COMPLETE)
    with pytest.raises(ProtocolViolation, match="more than 5 steps"):
        frame(recorder, Kind.STEP_START, START)


def test_documents_that_nobody_names_are_few_and_cost_a_file_each(
    recorder: Recorder, tmp_path: Path
) -> None:
    for number in range(8):
        recorder.frame("engine", FromRun.BLOB_END, number.to_bytes(4, "little"))
    for number in (3, 8):
        with pytest.raises(ProtocolViolation, match="too many documents"):
            recorder.frame("engine", FromRun.BLOB_END, number.to_bytes(4, "little"))
    assert len(list((tmp_path / "blobs").iterdir())) == 1  # all of them are the same: empty
    budget = Recorder(recorder.journal, tmp_path, 20_000)
    for number in range(4):
        budget.frame("engine", FromRun.BLOB, number.to_bytes(4, "little") + b"x")
    with pytest.raises(DocumentsTooLarge):
        budget.frame("engine", FromRun.BLOB, b"4444x")
    budget.abandon_streams()


def test_many_short_steps_leave_nothing_in_memory(recorder: Recorder) -> None:
    for _ in range(200):
        frame(recorder, Kind.STEP_START, START)
        frame(recorder, Kind.STEP_COMPLETE, COMPLETE)
        recorder.journal.flush(sync=False)
    assert not recorder.open_steps
    assert len(recorder._marks) <= 2, "those since the last flush"
