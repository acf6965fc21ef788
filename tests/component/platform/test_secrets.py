"""Documents are cleaned of the secrets that their run had, whatever came later."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import func, select

from holdfast.platform.store import tables as t
from support.platform import RunTalk, Served

JOB, TRIGGER, CREDENTIAL = (str(uuid.UUID(int=500 + n)) for n in range(3))
PROJECT: dict[str, Any] = {
    "name": "rotating",
    "project_credentials": [{"id": CREDENTIAL, "name": "key", "owner": "jo"}],
    "workflows": [{
        "name": "W",
        "jobs": [{"id": JOB, "name": "J", "body": "fn(s => s)",
                  "project_credential_id": CREDENTIAL}],
        "triggers": [{"id": TRIGGER, "type": "webhook", "enabled": True}],
        "edges": [{"source_trigger_id": TRIGGER, "target_job_id": JOB,
                   "condition_type": "always"}],
    }],
}  # fmt: skip


def set_secret(served: Served, **body: str) -> None:
    asked = {"name": "key", "owner": "jo", "body": body}
    answer = served.client.post("/api/projects/rotating/credentials", json=asked)
    assert answer.status_code == 201, answer.text


def fetch(talk: RunTalk) -> dict[str, str]:
    got: dict[str, str] = talk.ok("fetch:credential", {"id": CREDENTIAL})
    return got


def output(talk: RunTalk, text: str) -> str:
    """The address of an output with this text."""
    step = talk.start_step(JOB)
    end = talk.step_end(step, JOB, output_dataclip=f'{{"data":"{text}"}}')
    talk.ok("step:complete", end)
    return f"/api/dataclips/{end['output_dataclip_id']}/body"


def asked(served: Served, act: Callable[[RunTalk], None]) -> Any:
    """What the caller of a webhook that waits for its run is answered."""
    with ThreadPoolExecutor(1) as pool, served.worker("waiting") as worker:
        worker.join_queue()
        waiting = pool.submit(served.client.post, f"/i/{TRIGGER}", json={})
        worker.wait_for_push("work-available")
        (run,) = worker.claim(queues=["fast_lane"])
        worker.join_run(run)
        talk = RunTalk(worker, run)
        talk.start()
        fetch(talk)
        act(talk)
        return waiting.result(20).json()["data"]


def test_the_answer_of_a_webhook_is_cleaned(served: Served) -> None:
    synchronous = copy.deepcopy(PROJECT)
    synchronous["workflows"][0]["triggers"][0]["webhook_reply"] = "after_completion"
    served.deploy(synchronous)
    set_secret(served, password="wait-password", pin="73519284")
    told = {"a": ["wait-password", {"wait-password!": "Basic d2FpdC1wYXNzd29yZA=="}], "b": 1}

    def final_state(talk: RunTalk) -> None:
        talk.complete(final_state={**told, "pin": 73519284})

    def own_answer(talk: RunTalk) -> None:
        step = talk.start_step(JOB)
        end = talk.step_end(step, JOB, webhook_response={"status": 200, "body": told})
        talk.ok("step:complete", end)
        talk.complete()

    clean = {"a": ["***", {"***!": "Basic ***"}], "b": 1}
    assert asked(served, final_state) == {**clean, "pin": "***"}
    assert asked(served, own_answer) == clean


def versions(served: Served) -> int:
    count = select(func.count()).select_from(t.credential_versions)
    return int(served.write(lambda tx: tx.connection.scalar(count)) or 0)


def test_a_rotated_secret_stays_out_of_old_documents(served: Served) -> None:
    served.deploy(PROJECT)
    set_secret(served, password="first-password")
    run_id = served.post(trigger=TRIGGER)
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        assert fetch(talk) == {"password": "first-password"}
        set_secret(served, password="second-password")
        assert fetch(talk) == {"password": "second-password"}
        text = "first-password second-password third-password"
        clip = output(talk, text)
        worker.push(f"run:{talk.id}", "phx_join", {"token": talk.run["token"]})
        talk.log(text)
        talk.complete()
    set_secret(served, password="third-password")
    assert served.client.get(clip).json() == {"data": "*** *** third-password"}
    assert "first-password" not in served.client.get(f"/runs/{run_id}").text
    assert served.logs(run_id) == ["*** *** third-password"]


def test_all_values_of_a_credential_are_cleaned(served: Served) -> None:
    served.deploy(PROJECT)
    body = {f"field_{n}": f"value-number-{n:03}" for n in range(200)}
    set_secret(served, **body)
    served.post(trigger=TRIGGER)
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        fetch(talk)
        clip = output(talk, " ".join(body.values()))
        talk.log(*body.values())
    assert served.client.get(clip).json() == {"data": " ".join(["***"] * 200)}
    assert served.logs(talk.id) == [" ".join(["***"] * 200)]


def test_a_secret_that_no_run_had_is_forgotten(served: Served) -> None:
    served.deploy(PROJECT)
    for password in ("one-password", "two-password", "two-password"):
        set_secret(served, password=password)
        assert versions(served) == 1
    served.post(trigger=TRIGGER)
    with served.worker() as worker:
        talk = worker.take()
        assert fetch(talk) == fetch(talk) == {"password": "two-password"}
        for password in ("three-password", "four-password"):
            set_secret(served, password=password)
            assert versions(served) == 2
