"""The recording of a run, from its page: who agreed, and where it is."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import update

from holdfast.journal import RunFolder
from holdfast.model.json import JsonObject
from holdfast.platform.scrubbing import Scrubber
from holdfast.platform.store import tables as t
from holdfast.platform.web import recording
from support.platform import Served


def agree(served: Served, *, record: bool) -> None:
    kept = json.dumps({"record": record})
    served.write(lambda tx: tx.connection.execute(update(t.projects).values(kept=kept)))


def ended(served: Served, *, record: bool) -> str:
    agree(served, record=record)
    run = served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        talk.complete(reason="success")
    return run


def test_a_recording_elsewhere_is_told_with_the_command_that_gets_it(served: Served) -> None:
    run = ended(served, record=True)
    assert f"/runs/{run}/recording.json" in served.client.get(f"/runs/{run}").text
    answer = served.client.get(f"/runs/{run}/recording.json")
    assert answer.status_code == 404
    assert f"holdfast pull-run {run}" in answer.text


def test_nothing_is_given_without_consent_then_and_now(served: Served) -> None:
    run = ended(served, record=False)
    assert "recording.json" not in served.client.get(f"/runs/{run}").text
    assert "was not recorded" in served.client.get(f"/runs/{run}/recording.json").text
    run = ended(served, record=True)
    agree(served, record=False)
    answer = served.client.get(f"/runs/{run}/recording.json")
    assert (answer.status_code, "does not agree any more" in answer.text) == (409, True)


def test_a_secret_that_is_a_number_breaks_no_file(tmp_path: Path) -> None:
    value: JsonObject = {"output": {"id": 12345678}, "half \ud800": 1, "said": "12345678 it is"}
    bundle = SimpleNamespace(to_json=lambda: value)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(recording, "bundle_of", lambda _: bundle)
        found = recording._bundle(tmp_path, "r1", Scrubber(["12345678"]))
    assert found is not None
    read = json.loads(found.decode("utf-8", "surrogatepass"))
    assert "12345678" not in json.dumps(read)


def test_a_run_that_moves_while_it_is_looked_for_is_found(tmp_path: Path) -> None:
    seen: list[str] = []

    def bundle_of(folder: RunFolder) -> object:
        seen.append(folder.path.parent.name)
        if len(seen) == 1:
            raise FileNotFoundError
        return SimpleNamespace(to_json=lambda: {"n": 1})

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(recording, "bundle_of", bundle_of)
        found = recording._bundle(tmp_path, "r1", Scrubber([]))
    assert json.loads(found or b"") == {"n": 1}
    assert seen == ["journals", "archive"]


def test_a_run_whose_documents_are_erased_is_not_given(served: Served) -> None:
    run = ended(served, record=True)
    served.write(lambda tx: tx.connection.execute(update(t.dataclips).values(wiped_at=tx.now)))
    assert served.client.get(f"/runs/{run}/recording.json").status_code == 410
