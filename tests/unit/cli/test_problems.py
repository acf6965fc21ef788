"""Failures with the same cause count as one problem."""

from __future__ import annotations

import json
from pathlib import Path

from holdfast.cli.problems import problems
from holdfast.diagnosis.diagnose import diagnose
from holdfast.diagnosis.ending import Ending
from holdfast.journal import Journal, RunFolder
from holdfast.model.record import Kind


def journal(
    data: Path, run: str, message: str | None, version: int | None = None, flow: str = "w"
) -> None:
    """A run that failed with a message, or succeeded."""
    found = diagnose(Ending("fail", "JobError", message, "send")) if message else None
    folder = data / "journals" / run
    folder.mkdir(parents=True)
    written = Journal.create(RunFolder(folder).journal, max_bytes=1 << 20)
    if version is not None:
        prepared = {"workflow": {"id": flow, "version": version}}
        written.append(Kind.PREPARED, json.dumps(prepared).encode())
    body = {"reason": "fail", "diagnosis": found.to_json()} if found else {"reason": "success"}
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


def test_of_the_newest_runs_nothing_is_called_new(tmp_path: Path) -> None:
    journal(tmp_path, "a", "old", 3)
    journal(tmp_path, "b", None, 3)
    journal(tmp_path, "c", "old", 4)
    (all_of_them,) = problems(tmp_path)
    assert all_of_them.words.endswith("seen since version 3 or longer")
    (newest,) = problems(tmp_path, newest=2)
    assert (newest.runs, newest.since) == (["c"], "seen since version 4 or longer")
    (with_it,) = problems(tmp_path, newest=1, besides=tmp_path / "journals" / "a")
    assert with_it.runs == ["a", "c"]


def test_a_problem_is_new_since_a_version_when_earlier_ones_were_seen_without_it(
    tmp_path: Path,
) -> None:
    journal(tmp_path, "a", None, 3)
    journal(tmp_path, "b", "old", 3)
    journal(tmp_path, "c", "young", 5)
    journal(tmp_path, "d", "young", 4)
    journal(tmp_path, "e", "old", 5)
    journal(tmp_path, "f", "young", 9, flow="another")
    found = {tuple(sorted(item.runs)): item for item in problems(tmp_path)}
    assert found["c", "d"].since == "new since version 4"
    assert found["b", "e"].since == "seen since version 3 or longer"
    assert found["f",].since == "seen since version 9 or longer", "no earlier run is known"
    told = found["c", "d"].to_json()
    assert (told["since_version"], told["new"], told["count"]) == (4, True, 2)


def test_steps_have_their_names_instead_of_ids() -> None:
    ids = ["6dd40e3e-3127-4b52-b34d-4d9a50648b13", "a228b953-5ffe-55f3-90a6-6d0496eed6c5"]
    said = f"Failed to compile edge condition {ids[0]}->{ids[1]} (Unexpected end of input)"
    found = diagnose(Ending("crash", "Error", said, ids[0]))
    assert found is not None
    named = found.named({ids[0]: "fetch", ids[1]: "map"})
    assert named.step == "fetch"
    assert "the edge from fetch to map is" in named.what


def test_versions_are_left_out_where_the_platform_says_none(tmp_path: Path) -> None:
    journal(tmp_path, "a", "no patient")
    (found,) = problems(tmp_path)
    assert found.since is None
    assert "new" not in found.to_json()
