"""`holdfast journal` on folders as a worker leaves them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from holdfast.cli.journal import journal_group
from holdfast.journal import BlobWriter, Journal, Mark, Position, RunFolder
from holdfast.model.errors import UsageError
from holdfast.model.record import Kind


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for run, ended in (("aaaa-1", True), ("aabb-2", False)):
        (tmp_path / "journals").mkdir(exist_ok=True)
        folder = RunFolder.create(tmp_path / "journals", run)
        with BlobWriter(folder.path) as blob:
            blob.write(b"{}")
            digest = blob.finish()
        with Journal.create(folder.journal) as journal:
            body = {"run_id": run, "token": "c2VjcmV0"}
            journal.append(Kind.CLAIMED, json.dumps(body).encode(), time_us=1_795_424_525_513_000)
            output = {"step_id": "s", "output": {"blob": digest, "bytes": 2}}
            journal.append(Kind.STEP_COMPLETE, json.dumps(output).encode())
            if ended:
                journal.append(Kind.OUTCOME, b'{"reason":"kill","error_type":"OOMError"}')
            journal.flush()
    with Mark(tmp_path / "journals" / "aaaa-1" / "mark") as mark:
        mark.move(Position(1, 100))
    return tmp_path


def run(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        journal_group, [*arguments, "--data", str(data)], catch_exceptions=False
    )


def test_ls_tells_how_far_each_run_is(data: Path) -> None:
    rows = [json.loads(line) for line in run(data, "ls", "--json").stdout.splitlines()]
    assert [(row["run"], row["state"], row["accepted"], row["outcome"]) for row in rows] == [
        ("aaaa-1", "delivering", 1, "kill OOMError"),
        ("aabb-2", "waiting", 0, ""),
    ]
    assert "2026-11-23" in run(data, "ls").stdout


def test_show_marks_what_is_not_accepted_and_hides_the_token(data: Path) -> None:
    lines = run(data, "show", "aaaa").stdout.splitlines()
    assert [line[0] for line in lines] == [" ", ">", ">"]
    assert "c2VjcmV0" not in "".join(lines)


def test_export_is_json_lines_without_secrets(data: Path) -> None:
    entries = [json.loads(line) for line in run(data, "export", "aaaa-1").stdout.splitlines()]
    assert [entry["kind"] for entry in entries] == ["CLAIMED", "STEP_COMPLETE", "OUTCOME"]
    assert entries[0]["body"]["token"] == "(sealed)"


def test_verify_finds_damage_and_missing_documents(data: Path) -> None:
    assert run(data, "verify").exit_code == 0
    path = data / "journals" / "aabb-2"
    next((path / "blobs").iterdir()).unlink()
    journal = path / "journal"
    journal.write_bytes(journal.read_bytes()[:-3])
    result = CliRunner().invoke(
        journal_group, ["verify", "--data", str(data)], standalone_mode=False
    )
    assert result.return_value == 1
    assert "torn" in result.stdout


def test_bad_names_are_explained(data: Path) -> None:
    with pytest.raises(UsageError, match="no journal of a run zz"):
        run(data, "show", "zz")
    with pytest.raises(UsageError, match="Several runs"):
        run(data, "show", "aa")
    with pytest.raises(UsageError, match="no journals in"):
        run(data / "nowhere", "ls")
