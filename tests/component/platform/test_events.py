"""Events repeated, refused, repaired and late (`docs/spec/platform.md` 4.4, 4.5, 3.6)."""

from __future__ import annotations

import json
import math
import sqlite3
import threading
import uuid
from contextlib import closing
from typing import Any

import pytest

from holdfast.platform.store.runs import find_run, run_to_show
from holdfast.platform.workers import claims, events
from support.platform import FETCH, STORE, RunTalk, Served


@pytest.fixture
def talk(served: Served) -> Any:
    """One run, joined and started."""
    served.post()
    with served.worker() as worker:
        run = worker.take()
        run.start()
        yield run


@pytest.fixture(scope="module")
def listener(shared: Served) -> Any:
    """A run that is told nonsense again and again."""
    shared.post()
    with shared.worker("listener") as worker:
        run = worker.take()
        run.start()
        yield run
        assert run.complete()["status"] == "ok", "nothing was broken"


def error(answer: dict[str, Any]) -> dict[str, list[str]]:
    assert answer["status"] == "error", answer
    errors: dict[str, list[str]] = answer["response"]["errors"]
    return errors


def test_every_event_may_be_repeated(served: Served, talk: RunTalk) -> None:
    talk.start()
    step = talk.start_step()
    start = {"step_id": step, "job_id": FETCH, "timestamp": talk.now()}
    assert talk.ok("step:start", start) == {"step_id": step}
    end = talk.step_end(step)
    assert talk.ok("step:complete", end) == {"step_id": step}
    assert talk.ok("step:complete", end) == {"step_id": step}
    assert talk.ok("step:start", start) == {"step_id": step}
    talk.log("once", id="7")
    talk.log("once", id="7")
    done = {"final_dataclip_id": end["output_dataclip_id"]}
    assert talk.complete(**done)["status"] == "ok"
    assert talk.complete(**done)["status"] == "ok"
    assert len(served.steps(talk.id)) == 1
    assert served.logs(talk.id) == ["once"]
    assert served.run(talk.id)["state"] == "success"


def test_the_first_word_about_a_step_counts(served: Served, talk: RunTalk) -> None:
    step = talk.start_step()
    talk.ok("step:complete", talk.step_end(step))
    talk.ok("step:complete", talk.step_end(step, reason="fail"))
    assert served.steps(talk.id)[0]["exit_reason"] == "success"


def test_a_run_ends_once(served: Served, talk: RunTalk) -> None:
    talk.complete()
    assert error(talk.complete(reason="fail")) == {"state": ["already in completed state"]}
    assert served.run(talk.id)["state"] == "success"


def test_no_new_step_after_the_end_but_logs_are_kept(served: Served, talk: RunTalk) -> None:
    talk.complete()
    start = {"step_id": str(uuid.uuid4()), "job_id": FETCH, "timestamp": talk.now()}
    assert error(talk.push("step:start", start)) == {"state": ["already in completed state"]}
    talk.log("late")
    assert served.logs(talk.id) == ["late"]


@pytest.mark.parametrize(
    ("event", "payload", "field"),
    [
        ("step:start", {"step_id": "s", "timestamp": "1795424525513089"}, "job_id"),
        (
            "step:start",
            {"step_id": "s", "job_id": None, "timestamp": "1795424525513089"},
            "job_id",
        ),
        ("step:start", {"step_id": "s", "job_id": "x", "timestamp": "1795424525513089"}, "job_id"),
        ("step:start", {"job_id": FETCH, "timestamp": "1795424525513089"}, "step_id"),
        ("step:start", {"step_id": "s", "job_id": FETCH, "timestamp": "12"}, "timestamp"),
        ("step:complete", {"step_id": "s"}, "reason"),
        ("step:complete", {"step_id": "nobody", "reason": "success"}, "step_id"),
        ("step:complete", {"step_id": "x" * 37, "reason": "success"}, "step_id"),
        (
            "step:start",
            {"step_id": "a\0b", "job_id": FETCH, "timestamp": "1795424525513089"},
            "step_id",
        ),
        ("run:complete", {}, "reason"),
        ("run:complete", {"reason": "perhaps"}, "reason"),
        ("run:log", {"timestamp": "1795424525513089"}, "message"),
        ("run:log", {"message": ["x"], "timestamp": "x"}, "timestamp"),
        ("run:batch_logs", {"logs": 3}, "logs"),
        ("run:start", {}, "timestamp"),
        ("fetch:credential", {}, "id"),
        ("fetch:credential", {"id": "unknown"}, "id"),
    ],
)
def test_wrong_events_are_refused_by_field(
    listener: RunTalk, event: str, payload: dict[str, Any], field: str
) -> None:
    assert list(error(listener.push(event, payload))) == [field]


def test_an_unknown_event_is_answered(listener: RunTalk) -> None:
    answer = listener.push("run:dance", {})
    assert answer["response"] == {"reason": "unknown event"}


def test_a_completion_without_step_id_finds_the_open_step(served: Served, talk: RunTalk) -> None:
    """kit#1072."""
    step = talk.start_step()
    end = talk.step_end(step)
    del end["step_id"]
    assert talk.ok("step:complete", end) == {"step_id": step}
    assert served.steps(talk.id)[0]["exit_reason"] == "success"


def test_a_step_that_was_never_started_is_made_from_its_end(served: Served, talk: RunTalk) -> None:
    step = str(uuid.uuid4())
    assert talk.ok("step:complete", talk.step_end(step, STORE)) == {"step_id": step}
    (made,) = served.steps(talk.id)
    assert (made["job_id"], made["exit_reason"], made["repaired"]) == (STORE, "success", True)


def test_a_step_of_another_run_cannot_be_touched(served: Served, talk: RunTalk) -> None:
    step = talk.start_step()
    served.post()
    with served.worker("second") as worker:
        other = worker.take()
        other.start()
        assert error(other.push("step:complete", other.step_end(step))) == {
            "step_id": ["not found"]
        }
        start = {"step_id": step, "job_id": FETCH, "timestamp": other.now()}
        assert error(other.push("step:start", start)) == {"step_id": ["has already been taken"]}
    assert served.steps(talk.id)[0]["exit_reason"] is None


def test_an_output_that_is_no_object_is_kept_as_data(served: Served, talk: RunTalk) -> None:
    """lightning#4627: there, such a run is lost."""
    step = talk.start_step()
    end = talk.step_end(step, output_dataclip="42")
    talk.ok("step:complete", end)
    body = served.client.get(f"/api/dataclips/{end['output_dataclip_id']}/body").json()
    assert body == {"data": 42}
    assert [n["what"] for n in served.run(talk.id)["notes"]] == [
        "output was not an object: kept as its data"
    ]


def test_an_output_that_is_not_json_costs_only_itself(served: Served, talk: RunTalk) -> None:
    step = talk.start_step()
    talk.ok("step:complete", talk.step_end(step, output_dataclip="{nope"))
    assert served.steps(talk.id)[0]["output_error"] == "NOT_JSON"
    assert talk.complete()["status"] == "ok"


def test_configuration_is_never_stored(served: Served, talk: RunTalk) -> None:
    step = talk.start_step()
    text = json.dumps({"configuration": {"password": "x"}, "data": {"n": 1}})
    end = talk.step_end(step, output_dataclip=text)
    talk.ok("step:complete", end)
    body = served.client.get(f"/api/dataclips/{end['output_dataclip_id']}/body").json()
    assert body == {"data": {"n": 1}}


@pytest.mark.parametrize(
    ("output", "kept"),
    [
        ({"configuration": 1, "data": {"ü": [1.5, None]}}, '{"data":{"ü":[1.5,null]}}'),
        ([1, 2], '{"data":[1,2]}'),
        (math.nan, None),
        (json.loads("[" * 402 + "]" * 402), None),
    ],
)
def test_an_output_may_come_as_a_value(
    served: Served, talk: RunTalk, output: object, kept: str | None
) -> None:
    end = talk.step_end(talk.start_step(), output_dataclip=output)
    talk.ok("step:complete", end)
    told = served.client.get(f"/api/dataclips/{end['output_dataclip_id']}/body")
    assert served.steps(talk.id)[0]["output_error"] == (None if kept else "NOT_JSON")
    assert kept is None or told.text == kept


def test_a_dataclip_id_with_other_content_is_refused(served: Served, talk: RunTalk) -> None:
    first, second = talk.start_step(), talk.start_step(STORE)
    end = talk.step_end(first)
    talk.ok("step:complete", end)
    clash = talk.step_end(second, STORE, output_dataclip_id=end["output_dataclip_id"],
                          output_dataclip='{"other":1}')  # fmt: skip
    assert list(error(talk.push("step:complete", clash))) == ["output_dataclip_id"]
    (note,) = served.run(talk.id)["notes"]
    assert (note["what"], note["event"]) == ("refused", "step:complete")


def test_an_output_that_was_too_large_says_so(served: Served, talk: RunTalk) -> None:
    step = talk.start_step()
    end = talk.step_end(step, output_dataclip_error="DATACLIP_TOO_LARGE")
    del end["output_dataclip_id"], end["output_dataclip"]
    talk.ok("step:complete", end)
    assert served.steps(talk.id)[0]["output_error"] == "DATACLIP_TOO_LARGE"


def test_an_unknown_final_dataclip_does_not_cost_the_end(served: Served, talk: RunTalk) -> None:
    """kit#1356."""
    assert talk.complete(final_dataclip_id=str(uuid.uuid4()), final_state=[1])["status"] == "ok"
    found = served.run(talk.id)
    assert found["state"] == "success"
    assert found["notes"][0]["what"] == "final dataclip is not known"


def test_a_log_line_of_an_unknown_step_is_kept_without_it(served: Served, talk: RunTalk) -> None:
    talk.log("orphan", step_id=str(uuid.uuid4()))
    data = served.client.get(f"/api/runs/{talk.id}/logs").json()["data"]
    assert [(line["message"], line["step_id"]) for line in data] == [("orphan", None)]


def test_a_batch_of_lines_keeps_its_order(served: Served, talk: RunTalk) -> None:
    lines = [
        {"message": [f"line {n}"], "timestamp": talk.now(), "level": "info", "source": "JOB"}
        for n in range(300)
    ]
    talk.ok("run:batch_logs", {"run_id": talk.id, "logs": lines})
    assert served.logs(talk.id) == [f"line {n}" for n in range(300)]


def test_many_events_may_be_unanswered_and_stay_in_order(served: Served, talk: RunTalk) -> None:
    """The window that a run's join reply offers to a worker that knows it."""
    topic, step = f"run:{talk.id}", str(uuid.uuid4())
    refs = [
        talk.worker.send(
            topic, "step:start", {"step_id": step, "job_id": FETCH, "timestamp": talk.now()}
        )
    ]
    for number in range(60):
        line = {"message": [str(number)], "timestamp": talk.now(), "step_id": step}
        refs.append(talk.worker.send(topic, "run:log", line))
    refs.append(talk.worker.send(topic, "step:complete", talk.step_end(step)))
    refs.append(talk.worker.send(topic, "run:complete", {"reason": "success"}))
    assert {talk.worker.reply(ref)["status"] for ref in refs} == {"ok"}
    data = served.client.get(f"/api/runs/{talk.id}/logs").json()["data"]
    assert [line["message"] for line in data] == [str(number) for number in range(60)]
    assert {line["step_id"] for line in data} == {step}


def lose(served: Served, run_id: str) -> None:
    def end(tx: Any) -> bool:
        run = find_run(tx.connection, run_id)
        assert run is not None
        return claims.give_up(tx, run, "no news")

    assert served.write(end)


def test_a_lost_run_whose_worker_reports_is_recovered(served: Served, talk: RunTalk) -> None:
    lose(served, talk.id)
    lost = served.run(talk.id)
    assert (lost["state"], lost["error_type"]) == ("lost", "LostAfterStart")
    assert "run:start" in lost["error_message"]
    step = talk.start_step()
    talk.ok("step:complete", talk.step_end(step))
    assert (
        talk.complete(reason="fail", error_type="JobError", error_message="no")["status"] == "ok"
    )
    found = served.run(talk.id)
    assert (found["state"], found["error_type"]) == ("failed", "JobError")
    assert found["lost_at"] is not None
    assert found["recovered_at"] is not None
    assert [note["what"] for note in found["notes"]] == ["given up", "recovered"]


def test_a_lost_run_that_was_retried_stays_lost(served: Served, talk: RunTalk) -> None:
    lose(served, talk.id)
    assert served.client.post(f"/api/runs/{talk.id}/retry").status_code == 201
    assert talk.complete()["status"] == "ok"
    found = served.run(talk.id)
    assert found["state"] == "lost"
    assert found["notes"][-1]["what"] == "reported after it was lost and retried"


def test_a_refused_event_makes_an_exception_instead_of_a_loss(
    served: Served, talk: RunTalk
) -> None:
    """lightning#4355."""
    error(talk.push("step:start", {"step_id": "s", "job_id": "x", "timestamp": talk.now()}))
    lose(served, talk.id)
    found = served.run(talk.id)
    assert (found["state"], found["error_type"]) == ("exception", "EventRejected")
    assert "step:start" in found["error_message"]


def test_secrets_are_cleaned_from_logs_errors_and_shown_data(served: Served) -> None:
    project = {
        "name": "secretive",
        "project_credentials": [{"id": str(uuid.UUID(int=91)), "name": "HAPI", "owner": "jo"}],
        "workflows": [
            {
                "name": "W",
                "jobs": [
                    {
                        "id": str(uuid.UUID(int=92)),
                        "name": "J",
                        "body": "fn(s => s)",
                        "project_credential_id": str(uuid.UUID(int=91)),
                    }
                ],
                "triggers": [{"id": str(uuid.UUID(int=93)), "type": "webhook", "enabled": True}],
            }
        ],
    }
    served.deploy(project)
    body = {"username": "jo", "password": "hunter22", "empty": ""}
    answer = served.client.post(
        "/api/projects/secretive/credentials", json={"name": "HAPI", "owner": "jo", "body": body}
    )
    assert answer.status_code == 201
    served.post(trigger=str(uuid.UUID(int=93)))
    with served.worker() as worker:
        talk = worker.take()
        got = talk.ok("fetch:credential", {"id": str(uuid.UUID(int=91))})
        assert got == {"username": "jo", "password": "hunter22"}
        talk.start()
        talk.log("logging in as jo with hunter22")
        # a rejoin starts with the same scrubber (W37)
        worker.push(f"run:{talk.id}", "phx_join", {"token": talk.run["token"]})
        talk.log("again hunter22")
        step = talk.start_step(str(uuid.UUID(int=92)))
        end = talk.step_end(
            step, str(uuid.UUID(int=92)), output_dataclip='{"token":"hunter22"}',
            reason="fail", error_type="JobError", error_message="401 for hunter22",
        )  # fmt: skip
        talk.ok("step:complete", end)
        talk.complete(
            reason="fail", error_type="JobError", error_message="401 for hunter22",
            postmortem={
                "last_lines": ["JOB info hunter22"],
                "evidence": {"n": 1, "nan": float("nan"), "half \ud800, hunter22": "\udfff"},
            },
            spans={"operations": [{"name": "hunter22"}], "requests": 7, "samples": None},
        )  # fmt: skip
    evidence = {"n": 1, "nan": None, "half \ufffd, ***": "\ufffd"}
    examined = {"last_lines": ["JOB info ***"], "evidence": evidence}
    assert served.client.get(f"/runs/{talk.id}").status_code == 200
    assert served.run(talk.id)["postmortem"] == examined
    told = served.write(lambda tx: run_to_show(tx.connection, talk.id))
    assert told is not None
    assert json.loads(told.spans)["operations"] == [{"name": "***"}]
    assert served.logs(talk.id) == ["logging in as jo with ***", "again ***"]
    assert served.run(talk.id)["error_message"] == "401 for ***"
    assert served.steps(talk.id)[0]["error_message"] == "401 for ***"
    shown = served.client.get(f"/api/dataclips/{end['output_dataclip_id']}/body")
    assert shown.json() == {"token": "***"}
    if served.platform.database.is_sqlite:
        copy = served.settings.data / "copy.db"
        with (
            closing(sqlite3.connect(served.settings.data / "platform.db")) as database,
            closing(sqlite3.connect(copy)) as other,
        ):
            database.backup(other)  # each page once, also those that are free
        assert copy.read_bytes().count(b"hunter22") == 1  # the stored output, which a retry needs


def test_erased_projects_keep_no_data(served: Served) -> None:
    project = {
        "name": "forgetful",
        "retention_policy": "erase_all",
        "workflows": [
            {
                "name": "W",
                "jobs": [{"id": str(uuid.UUID(int=94)), "name": "J", "body": "fn(s => s)"}],
                "triggers": [{"id": str(uuid.UUID(int=95)), "type": "webhook", "enabled": True}],
            }
        ],
    }
    served.deploy(project)
    run_id = served.post({"private": 1}, trigger=str(uuid.UUID(int=95)))
    with served.worker() as worker:
        talk = worker.take()
        assert talk.ok("fetch:plan", {})["options"]["output_dataclips"] is False
        for _ in range(2):  # also after a reconnect
            assert json.loads(talk.ok("fetch:dataclip", {}))["data"] == {"private": 1}
        talk.start()
        step = talk.start_step(str(uuid.UUID(int=94)))
        end = talk.step_end(step, str(uuid.UUID(int=94)))
        del end["output_dataclip"]
        talk.ok("step:complete", end)
        talk.complete(final_dataclip_id=end["output_dataclip_id"])
    found = served.client.get(f"/api/runs/{run_id}").json()["data"]["relationships"]
    given = found["dataclip"]["data"]["id"]
    assert served.client.get(f"/api/dataclips/{given}/body").status_code == 404
    assert served.steps(run_id)[0]["output_dataclip_id"] == end["output_dataclip_id"]
    assert served.client.get(f"/api/dataclips/{end['output_dataclip_id']}/body").status_code == 404
    assert served.client.post(f"/api/runs/{run_id}/retry").status_code == 422


def test_a_page_shows_operations_while_the_run_goes(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, make = set[int](), events.spans_text

    def noted(*asked: Any) -> str | None:
        made.add(threading.get_ident())
        return make(*asked)

    monkeypatch.setattr(events, "spans_text", noted)
    served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        step = talk.start_step()
        at = {"step_id": step, "at_us": int(talk.now()), "us": None}
        first = {"operations": [{**at, "number": 1, "name": "get", "line": 1}]}
        talk.ok("run:spans", {"spans": first})
        assert "1. get()" in served.client.get(f"/runs/{talk.id}").text
        second = {"operations": [{**at, "number": 2, "name": "post", "line": 1}]}
        talk.ok("run:spans", {"spans": second})
        text = served.client.get(f"/runs/{talk.id}").text
        assert "2. post()" in text
        assert "1. get()" not in text
        assert talk.push("run:spans", {"spans": [1]})["status"] == "error"
        talk.ok("step:complete", talk.step_end(step))
        talk.complete()
        assert "2. post()" in served.client.get(f"/runs/{talk.id}").text
        talk.ok("run:spans", {"spans": first})
        assert "2. post()" in served.client.get(f"/runs/{talk.id}").text, "it has ended"
    assert made
    assert served.write(lambda _: threading.get_ident()) not in made, "the writer has more to do"
