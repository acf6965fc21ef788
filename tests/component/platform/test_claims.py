"""Claims that nobody joined, workers that go away, the three detectors (2.7, 3.6)."""

from __future__ import annotations

import time
from typing import Any

from holdfast.platform.clock import SECOND, now
from holdfast.platform.store import tables as t
from holdfast.platform.workers.janitor import sweep
from holdfast.protocol.tokens import sign_run_token
from support.platform import Served
from support.waiting import eventually


def age(served: Served, run_id: str, **seconds: float) -> None:
    """Move times of a run into the past."""
    values = {name: now() - int(value * SECOND) for name, value in seconds.items()}
    served.write(
        lambda tx: tx.connection.execute(
            t.runs.update().where(t.runs.c.id == run_id).values(**values)
        )
    )


def restarted_long_ago(served: Served) -> None:
    served.platform.started_at = 0


def test_a_claim_that_is_not_joined_in_time_goes_back(served: Served) -> None:
    """lightning#3565: there it is lost after minutes."""
    run_id = served.post()
    with served.worker() as worker:
        worker.join_queue()
        (stale,) = worker.claim()
        age(served, run_id, claim_expires_at=1)
        served.call(sweep)
        found = served.run(run_id)
        assert (found["state"], found["returns"], found["worker_name"]) == ("available", 1, None)
        assert found["notes"][0]["why"] == "its channel was not joined"
        (fresh,) = worker.claim()
        assert fresh["id"] == run_id
        assert worker.join_run(stale)["response"] == {"reason": "unauthorized"}
        assert worker.join_run(fresh)["status"] == "ok"


def test_a_joined_claim_is_not_taken_back(served: Served) -> None:
    served.post()
    with served.worker() as worker:
        talk = worker.take()
        age(served, talk.id, claimed_at=100)
        served.call(sweep)
        assert served.run(talk.id)["state"] == "claimed"


def test_claims_of_a_socket_that_closes_go_back_at_once(served: Served) -> None:
    """W1: the reply of the claim may never have arrived."""
    run_id = served.post()
    with served.worker() as worker:
        worker.join_queue()
        worker.claim()
        assert served.run(run_id)["state"] == "claimed"
    assert served.wait_for_state(run_id, "available")["returns"] == 1


def test_joined_runs_of_a_socket_that_closes_wait_for_it(served: Served) -> None:
    served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
    eventually(lambda: not list(served.platform.workers), "the worker is gone")
    served.call(sweep)
    assert served.run(talk.id)["state"] == "started"
    with served.worker() as worker:
        assert worker.join_run(talk.run)["status"] == "ok"
        again = type(talk)(worker, talk.run)
        assert again.complete()["status"] == "ok"
    assert served.run(talk.id)["state"] == "success"


def test_a_run_whose_worker_is_gone_and_silent_is_lost_with_reasons(served: Served) -> None:
    served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
    eventually(lambda: not list(served.platform.workers), "the worker is gone")
    age(served, talk.id, last_event_at=130)
    served.call(sweep)
    assert served.run(talk.id)["state"] == "started", "a fresh window after a start"
    restarted_long_ago(served)

    def swept() -> bool:
        """The database may hear last that the worker has gone."""
        served.call(sweep)
        return bool(served.run(talk.id)["state"] == "lost")

    eventually(swept, "the run is lost")
    found = served.run(talk.id)
    assert found["error_type"] == "LostAfterStart"
    assert "(no news)" in found["error_message"]
    assert "'run:start' from worker frames" in found["error_message"]
    (note,) = found["notes"]
    assert (note["worker_id"], note["worker_connected"]) == ("tester", False)


def test_a_silent_run_of_a_connected_worker_is_believed(served: Served) -> None:
    served.post()
    restarted_long_ago(served)
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        age(served, talk.id, last_event_at=1000)
        served.call(sweep)
        assert served.run(talk.id)["state"] == "started"


def test_over_time_without_a_channel_is_lost(served: Served) -> None:
    served.post()
    restarted_long_ago(served)
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        worker.push(f"run:{talk.id}", "phx_leave", {})
        age(served, talk.id, started_at=305)
        served.call(sweep)
        assert served.run(talk.id)["state"] == "started", "the grace has not passed"
        age(served, talk.id, started_at=311)
        served.call(sweep)
    found = served.run(talk.id)
    assert (found["state"], found["error_type"]) == ("lost", "LostAfterStart")
    assert "(over time)" in found["error_message"]


def test_over_time_with_a_channel_gets_as_long_again(served: Served) -> None:
    served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        age(served, talk.id, started_at=500)
        served.call(sweep)
        assert served.run(talk.id)["state"] == "started"
        age(served, talk.id, started_at=700)
        served.call(sweep)
        assert served.run(talk.id)["state"] == "lost"


def test_steps_left_open_are_closed_after_the_end(served: Served) -> None:
    """lightning#2416."""
    served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        talk.start_step()
        talk.complete(reason="kill", error_type="OOMError", error_message="too much")
        served.call(sweep)
        assert served.steps(talk.id)[0]["exit_reason"] is None
        age(served, talk.id, finished_at=11)
        served.call(sweep)
    (step,) = served.steps(talk.id)
    assert step["exit_reason"] == "lost"
    assert step["finished_at"] is not None


def test_only_the_token_of_the_claim_joins(served: Served) -> None:
    run_id, other = served.post(), served.post()
    key, at = served.platform.keys.run_private, int(time.time())
    with served.worker() as worker:
        worker.join_queue()
        first, second = worker.claim(2)
        assert {first["id"], second["id"]} == {run_id, other}

        def join(topic: str, token: Any) -> Any:
            return worker.push(f"run:{topic}", "phx_join", {"token": token})["response"]

        refused = {"reason": "unauthorized"}
        assert join(first["id"], second["token"]) == refused
        assert join(first["id"], "nonsense") == refused
        assert join(first["id"], None) == refused
        guess = sign_run_token(key, first["id"], not_before=at, expires_at=at + 9,
                               extra={"claim_id": "guess"})  # fmt: skip
        assert join(first["id"], guess) == refused
        nobody = sign_run_token(key, "nobody", not_before=at, expires_at=at + 9)
        assert join("nobody", nobody) == {"reason": "not_found"}
        assert worker.join_run(first)["status"] == "ok"


def test_an_expired_token_of_a_live_claim_still_joins(served: Served) -> None:
    """kit#1021: authority is the claim, not the clock."""
    served.post()
    with served.worker() as worker:
        talk = worker.take()
        row = served.write(
            lambda tx: tx.connection.execute(t.runs.select().where(t.runs.c.id == talk.id)).one()
        )
        old = sign_run_token(served.platform.keys.run_private, talk.id, not_before=100,
                             expires_at=200, extra={"claim_id": row.claim_id})  # fmt: skip
        again = worker.push(f"run:{talk.id}", "phx_join", {"token": old})
        assert again["status"] == "ok"
        assert again["response"]["holdfast"] == {
            "window": 64, "batch_logs": True, "idempotent": True, "postmortem": True,
            "spans": True,
            "live_spans": True,
        }  # fmt: skip
