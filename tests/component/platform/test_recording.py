"""The recording of a run, from its page: who agreed, and where it is."""

from __future__ import annotations

import json

from sqlalchemy import update

from holdfast.platform.store import tables as t
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


def test_a_run_whose_documents_are_erased_is_not_given(served: Served) -> None:
    run = ended(served, record=True)
    served.write(lambda tx: tx.connection.execute(update(t.dataclips).values(wiped_at=tx.now)))
    assert served.client.get(f"/runs/{run}/recording.json").status_code == 410
