"""What of a run is written when its disk has no room."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from holdfast.engine.shim.recorder import Recorder
from holdfast.journal import RESERVE, Journal, JournalReader
from holdfast.journal import writer as writer_module
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind

LINE = {"source": "JOB", "level": "info", "message": ["x" * 1000], "timestamp": "1"}
START = {"step_id": "s", "job_id": "a", "timestamp": "2"}
COMPLETE = {**START, "reason": "success", "output": {"inline": "{}"}}
RESULT = {"timestamp": "3", "reason": "success", "final_state": {"inline": "{}"}}
OUTCOME = [(Kind.OUTCOME, {"reason": "success"})]


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


@pytest.mark.parametrize("started_before", [True, False])
def test_without_room_for_its_lines_steps_and_result_are_kept(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started_before: bool
) -> None:
    if started_before:
        frame(recorder, Kind.STEP_START, START)
        recorder.journal.flush()
    monkeypatch.setattr(writer_module, "_allocate", lambda *_: errno.ENOSPC)
    real, size = writer_module.os.pwrite, recorder.journal.size

    def full(file: int, data: bytes, offset: int) -> int:
        if offset + len(data) > size + RESERVE:
            del data  # else the traceback holds what the journal is about to shorten
            raise OSError(errno.ENOSPC, "full")
        return real(file, data, offset)

    monkeypatch.setattr(writer_module.os, "pwrite", full)
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
        broken.setattr(writer_module.os, "pwrite", failing)
        assert not recorder.write_end(OUTCOME)
        assert not recorder.write_end(OUTCOME)
    assert recorder.write_end(OUTCOME)
    wanted = [Kind.LOG, Kind.STEP_START, Kind.STEP_COMPLETE, Kind.RESULT, Kind.OUTCOME]
    assert [kind for kind, _ in records(tmp_path)] == wanted
    assert records(tmp_path)[2] == (Kind.STEP_COMPLETE, COMPLETE)
