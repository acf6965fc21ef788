"""What a worker names must belong to the run it speaks of (`platform/store/ownership.py`)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import update

from holdfast.platform.store import tables as t
from holdfast.platform.store.runs import find_run
from holdfast.platform.workers import claims
from holdfast.protocol.tokens import sign_run_token
from support.platform import RunTalk, Served

SECRET = "the-other-projects-password"


def project(number: int, reply: str = "before_start") -> dict[str, Any]:
    job, trigger, credential = (str(uuid.UUID(int=number + n)) for n in (1, 2, 3))
    return {
        "name": f"project-{number}",
        "project_credentials": [{"id": credential, "name": "key", "owner": "jo"}],
        "workflows": [{
            "name": "W",
            "jobs": [{"id": job, "name": "J", "body": "fn(s => s)",
                      "project_credential_id": credential}],
            "triggers": [{"id": trigger, "type": "webhook", "enabled": True,
                          "webhook_reply": reply}],
            "edges": [{"source_trigger_id": trigger, "target_job_id": job,
                       "condition_type": "always"}],
        }],
    }  # fmt: skip


OURS, THEIRS = 1000, 2000


@dataclass
class Scene:
    served: Served
    ours: RunTalk
    theirs: RunTalk
    #: An output of theirs, with a secret in it.
    clip: str
    body: str = f'{{"data":"{SECRET}"}}'

    @property
    def job(self) -> str:
        return str(uuid.UUID(int=OURS + 1))

    def notes(self) -> list[str]:
        return [note["what"] for note in self.served.run(self.ours.id)["notes"]]

    def pages(self) -> str:
        """All that is shown of our run."""
        pages = [self.served.client.get(f"/runs/{self.ours.id}").text]
        for step in self.served.steps(self.ours.id):
            path = f"/runs/{self.ours.id}?step={step['id']}"
            pages.append(self.served.client.get(path).text)
        return "".join(pages)


@pytest.fixture
def scene(served: Served) -> Iterator[Scene]:
    for number in (OURS, THEIRS):
        served.deploy(project(number))
        credential = {"name": "key", "owner": "jo", "body": {"password": f"secret-{number}"}}
        path = f"/api/projects/project-{number}/credentials"
        assert served.client.post(path, json=credential).status_code == 201
    with served.worker("ours") as worker, served.worker("theirs") as other:
        served.post(trigger=str(uuid.UUID(int=THEIRS + 2)))
        theirs = other.take()
        theirs.start()
        step = theirs.start_step(str(uuid.UUID(int=THEIRS + 1)))
        end = theirs.step_end(step, str(uuid.UUID(int=THEIRS + 1)))
        theirs.ok("step:complete", end | {"output_dataclip": Scene.body})
        served.post(trigger=str(uuid.UUID(int=OURS + 2)))
        ours = worker.take()
        ours.start()
        yield Scene(served, ours, theirs, end["output_dataclip_id"])


def test_a_final_dataclip_of_another_project_is_not_taken(scene: Scene) -> None:
    assert scene.ours.complete(final_dataclip_id=scene.clip)["status"] == "ok"
    assert scene.served.run(scene.ours.id)["state"] == "success"
    assert scene.notes() == ["final dataclip is not known"]
    assert SECRET not in scene.pages()


def test_a_webhook_that_waits_is_not_told_of_another_project(scene: Scene) -> None:
    served = scene.served
    served.deploy(project(3000, "after_completion"))
    with ThreadPoolExecutor(1) as pool, served.worker("waiting") as worker:
        worker.join_queue()
        waiting = pool.submit(served.client.post, f"/i/{uuid.UUID(int=3002)}", json={})
        worker.wait_for_push("work-available")
        (run,) = worker.claim()
        worker.join_run(run)
        talk = RunTalk(worker, run)
        talk.start()
        assert talk.complete(final_dataclip_id=scene.clip)["status"] == "ok"
        assert SECRET not in waiting.result(20).text


def test_an_input_of_another_project_is_not_taken(scene: Scene) -> None:
    start = {
        "step_id": str(uuid.uuid4()),
        "job_id": scene.job,
        "timestamp": scene.ours.now(),
        "input_dataclip_id": scene.clip,
    }
    scene.ours.ok("step:start", start)
    scene.ours.complete()
    assert scene.served.steps(scene.ours.id)[0]["input_dataclip_id"] is None
    assert scene.notes() == ["input dataclip is not of this run"]
    assert SECRET not in scene.pages()
    retried = scene.served.client.post(
        f"/api/runs/{scene.ours.id}/retry", json={"step_id": start["step_id"]}
    )
    assert retried.status_code == 404


@pytest.mark.parametrize("body", [Scene.body, '{"data":"other"}'])
def test_an_output_cannot_take_the_id_of_another_run(scene: Scene, body: str) -> None:
    step = scene.ours.start_step(scene.job)
    end = scene.ours.step_end(step, scene.job, output_dataclip_id=scene.clip, output_dataclip=body)
    answer = scene.ours.push("step:complete", end)
    assert list(answer["response"]["errors"]) == ["output_dataclip_id"]
    assert SECRET not in scene.pages()


@pytest.mark.parametrize("which", ["input", "output"])
def test_its_own_clips_are_taken(scene: Scene, which: str) -> None:
    step = scene.ours.start_step(scene.job)
    end = scene.ours.step_end(step, scene.job)
    scene.ours.ok("step:complete", end)
    own = scene.served.client.get(f"/api/runs/{scene.ours.id}").json()["data"]
    clips = {
        "input": own["relationships"]["dataclip"]["data"]["id"],
        "output": end["output_dataclip_id"],
    }
    later = {"step_id": "later", "job_id": scene.job, "timestamp": scene.ours.now()}
    scene.ours.ok("step:start", later | {"input_dataclip_id": clips[which]})
    assert scene.served.steps(scene.ours.id)[-1]["input_dataclip_id"] == clips[which]
    scene.ours.complete(final_dataclip_id=clips[which])
    assert scene.notes() == []


def test_a_step_or_job_of_another_project_cannot_be_named(scene: Scene) -> None:
    foreign = str(uuid.UUID(int=THEIRS + 1))
    for payload in (
        {"step_id": "new", "job_id": foreign},
        {"step_id": scene.served.steps(scene.theirs.id)[0]["id"], "job_id": scene.job},
    ):
        answer = scene.ours.push("step:start", payload | {"timestamp": scene.ours.now()})
        assert answer["status"] == "error", payload
    scene.ours.log(
        "x", step_id=scene.served.steps(scene.theirs.id)[0]["id"], run_id=scene.theirs.id
    )
    assert scene.served.logs(scene.theirs.id) == []
    data = scene.served.client.get(f"/api/runs/{scene.ours.id}/logs").json()["data"]
    assert [line["step_id"] for line in data] == [None]


def test_a_credential_of_another_project_is_not_given(scene: Scene) -> None:
    """Not even to a snapshot that names it."""
    foreign, own = str(uuid.UUID(int=THEIRS + 3)), str(uuid.UUID(int=OURS + 3))
    assert scene.ours.ok("fetch:credential", {"id": own}) == {"password": "secret-1000"}
    assert scene.ours.push("fetch:credential", {"id": foreign})["status"] == "error"

    def steal(tx: Any) -> None:
        run = find_run(tx.connection, scene.ours.id)
        assert run is not None
        s = t.snapshots.c
        body = tx.connection.scalar(t.snapshots.select().with_only_columns(s.body).where(
            s.id == run.snapshot_id))  # fmt: skip
        changed = body.replace(own, foreign)
        assert changed != body
        tx.connection.execute(
            update(t.snapshots).where(s.id == run.snapshot_id).values(body=changed)
        )

    scene.served.write(steal)
    assert scene.ours.push("fetch:credential", {"id": foreign})["status"] == "error"


FETCHES: list[tuple[str, dict[str, Any]]] = [
    ("fetch:plan", {}),
    ("fetch:dataclip", {}),
    ("fetch:credential", {"id": str(uuid.UUID(int=OURS + 3))}),
]


def fetched(talk: RunTalk) -> list[str]:
    return [talk.push(event, payload)["status"] for event, payload in FETCHES]


def test_nothing_is_fetched_after_the_end(scene: Scene) -> None:
    assert fetched(scene.ours) == ["ok"] * 3
    scene.ours.complete()
    assert fetched(scene.ours) == ["error"] * 3
    again = scene.ours.worker.join_run(scene.ours.run)
    assert again["status"] == "ok", "for the last lines of its log"
    assert fetched(scene.ours) == ["error"] * 3
    scene.ours.log("late")
    assert scene.served.logs(scene.ours.id) == ["late"]


def test_nothing_is_fetched_by_a_claim_that_another_has_followed(scene: Scene) -> None:
    def second_claim(tx: Any) -> None:
        run = t.runs.c.id == scene.ours.id
        tx.connection.execute(update(t.runs).where(run).values(claim_id=str(uuid.uuid4())))

    scene.served.write(second_claim)
    assert fetched(scene.ours) == ["error"] * 3


def test_nothing_is_fetched_with_a_token_that_has_expired(scene: Scene) -> None:
    """What is left of an old run may be told all the same."""
    past = int(time.time()) - 3600
    found = scene.served.write(lambda tx: find_run(tx.connection, scene.ours.id))
    assert found is not None
    claim = found.claim_id
    token = sign_run_token(
        scene.served.platform.keys.run_private,
        scene.ours.id,
        not_before=past - 60,
        expires_at=past,
        extra={"claim_id": claim},
    )
    with scene.served.worker("late") as worker:
        late = RunTalk(worker, {"id": scene.ours.id, "token": token})
        assert worker.join_run(late.run)["status"] == "ok"
        assert fetched(late) == ["error"] * 3
        assert late.complete()["status"] == "ok"


def test_a_lost_run_whose_worker_is_still_there_may_fetch(scene: Scene) -> None:
    def lose(tx: Any) -> bool:
        run = find_run(tx.connection, scene.ours.id)
        assert run is not None
        return claims.give_up(tx, run, "no news")

    assert scene.served.write(lose)
    assert fetched(scene.ours) == ["ok"] * 3


@pytest.mark.parametrize("value", [3, {}, [], True])
def test_ids_in_requests_must_be_text(served: Served, value: Any) -> None:
    found = served.client.get("/api/provision/demo").json()["data"]
    workflow = found["workflows"][0]["id"]
    run_id = served.post()
    for path, name in (
        (f"/api/workflows/{workflow}/runs", "dataclip_id"),
        (f"/api/workflows/{workflow}/runs", "job_id"),
        (f"/api/runs/{run_id}/retry", "step_id"),
    ):
        answer = served.client.post(path, json={name: value})
        assert (answer.status_code, name in answer.text) == (422, True), answer.text
