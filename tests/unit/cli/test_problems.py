"""Failures with the same cause count as one problem."""

from __future__ import annotations

import json
from pathlib import Path

from holdfast.cli.problems import problems
from holdfast.diagnosis.diagnose import diagnose
from holdfast.diagnosis.ending import Ending
from holdfast.journal import Journal, RunFolder
from holdfast.model.record import Kind


def journal(data: Path, run: str, message: str) -> None:
    found = diagnose(Ending("fail", "JobError", message, "send"))
    assert found is not None
    folder = data / "journals" / run
    folder.mkdir(parents=True)
    written = Journal.create(RunFolder(folder).journal, max_bytes=1 << 20)
    body = {"reason": "fail", "diagnosis": found.to_json()}
    written.append(Kind.OUTCOME, json.dumps(body).encode())
    written.flush()
    written.close()


def test_same_cause_is_one_line_with_its_count(tmp_path: Path) -> None:
    journal(tmp_path, "a", "no patient 7")
    journal(tmp_path, "b", "no patient 8")
    journal(tmp_path, "c", "no clinic 8")
    found = problems(tmp_path)
    assert sorted(item.runs for item in found) == [["a", "b"], ["c"]]
    both = next(item for item in found if len(item.runs) == 2)
    assert both.first < both.last
    assert both.diagnosis.code == "HF1115"
