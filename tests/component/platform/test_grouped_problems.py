"""Failures are grouped by their cause: the worker's fingerprint, else the run's own words."""

from __future__ import annotations

import json
import re
from typing import Any

from holdfast.model.json import JsonObject
from holdfast.platform.causes.problem import DAYS, grouped
from holdfast.platform.clock import SECOND
from support.platform import Served

_DAY = 24 * 3600 * SECOND
UNTIL = 1000 * _DAY


def row(number: int, message: str, *, days: int = 0, **values: Any) -> dict[str, Any]:
    return {"id": str(number), "state": "failed", "error_type": "TypeError",
            "error_message": message, "workflow_id": "w", "workflow_name": "Referrals",
            "project_id": "p", "inserted_at": UNTIL - days * _DAY - number, "diagnosis": None,
            "lock_version": 1, "made_at": 0, **values}  # fmt: skip


def test_runs_of_one_cause_are_one_problem() -> None:
    rows = [
        row(1, "no patient 17"),
        row(2, "no patient 4", days=1),
        row(3, "no form", days=1),
        row(4, "no patient 9", days=DAYS),
        row(5, "no patient 1", workflow_id="other"),
        row(6, "stopped", state="success"),
    ]
    found = grouped(rows, UNTIL)
    assert [problem.runs for problem in found] == [["1", "2", "4"], ["3"], ["5"]]
    assert found[0].days == [1, *[0] * (DAYS - 3), 1, 1]
    assert found[0].heights[-1] == 100
    assert (found[0].last, found[0].first) == (UNTIL - 1, UNTIL - DAYS * _DAY - 4)


def test_the_fingerprint_of_the_worker_counts() -> None:
    told: JsonObject = {
        "code": "HF1102",
        "what": "it is undefined",
        "turn": "data",
        "fingerprint": "one",
    }
    made = [json.dumps(one) for one in (told, {**told, "fingerprint": "two"}, told)]
    rows = [row(n, f"message {n}", diagnosis=one) for n, one in enumerate(made)]
    found = grouped(rows, UNTIL)
    assert [(problem.code, problem.runs) for problem in found] == [
        ("HF1102", ["0", "2"]),
        ("HF1102", ["1"]),
    ]


def test_the_page_shows_a_problem_and_retries_its_runs(served: Served) -> None:
    made = {"code": "HF1102", "what": "patient is <undefined>", "fingerprint": "f"}
    ends: list[dict[str, Any]] = [
        {"reason": "fail", "error_type": "E", "error_message": "one",
         "postmortem": {"diagnosis": made, "timeline": []}},
        {"reason": "fail", "error_type": "E", "error_message": "other",
         "postmortem": {"diagnosis": made}},
        {"reason": "fail", "error_type": "E", "error_message": "no diagnosis",
         "postmortem": {"diagnosis": None}},
        {"reason": "success"},
    ]  # fmt: skip
    runs = [served.post() for _ in ends]
    with served.worker() as worker:
        for end in ends:
            talk = worker.take()
            talk.start()
            talk.complete(**end)
    page = served.client.get("/problems").text
    assert page.count("patient is &lt;undefined&gt;</a>") == 1
    assert "Retry all 2" in page
    assert page.count('class="whole"') == 2
    assert re.findall(r'name="run" value="(\S+)"', page) == [runs[2], runs[1], runs[0]]
    assert "Nothing has failed" in served.client.get("/problems?workflow_id=other").text
    told = served.client.get("/api/problems").json()
    assert [(item["code"], item["runs"]) for item in told["data"]] == [
        ("HF1999", [runs[2]]),
        ("HF1102", [runs[1], runs[0]]),
    ]
    assert (told["data"][1]["count"], told["data"][1]["days"][-1]) == (2, 2)
    assert told["meta"]["more"] is False
    assert served.client.get("/api/problems?project_id=other").json()["data"] == []


def test_a_run_of_a_clock_that_is_ahead_counts_as_newest() -> None:
    (problem,) = grouped([row(1, "no patient", days=-2)], UNTIL)
    assert problem.days[-1] == 1


def test_a_cause_is_new_since_the_first_version_that_failed_so() -> None:
    made = UNTIL - 2 * _DAY
    rows = [
        row(1, "no form", lock_version=13, made_at=UNTIL),
        row(2, "no form", days=1, lock_version=12, made_at=made),
        row(3, "no patient", days=3, lock_version=7, made_at=5),
    ]
    (form, patient) = grouped(rows, UNTIL)
    assert form.version == (12, made)
    assert form.is_new(UNTIL - DAYS * _DAY)
    assert not form.is_new(made + 1), "runs before it were not looked at"
    assert not patient.is_new(UNTIL - DAYS * _DAY)
    (first,) = grouped([row(1, "no form", lock_version=1, made_at=made)], UNTIL)
    assert not first.is_new(0), "there was no version before it"


def test_the_page_has_names_the_step_and_the_version(served: Served) -> None:
    workflow = served.client.get("/api/workflows").json()["workflows"][0]
    job = workflow["jobs"][0]
    told = {"code": "HF1102", "what": f"{job['id']} gave nothing", "step": job["id"],
            "fingerprint": "f"}  # fmt: skip
    end = {"reason": "fail", "error_type": "E", "error_message": "m"}

    def fail(fingerprint: str) -> str:
        served.post()
        with served.worker() as worker:
            talk = worker.take()
            talk.start()
            talk.complete(**end, postmortem={"diagnosis": {**told, "fingerprint": fingerprint}})
        return served.client.get("/problems").text

    page = fail("old")
    assert f"&#34;{job['name']}&#34; gave nothing</a>" in page
    assert f"Step “{job['name']}”. Whose turn" in page
    (told_too,) = served.client.get("/api/problems").json()["data"]
    assert told_too["what"] == f'"{job["name"]}" gave nothing'
    assert told_too["step"] == job["name"]
    assert "New since" not in page
    changed = [{**job, "body": "fn(s => s); // changed"} for job in workflow["jobs"]]
    served.client.patch(f"/api/workflows/{workflow['id']}", json={"jobs": changed})
    assert fail("old").count("New since") == 0
    version = served.client.get("/api/workflows").json()["workflows"][0]["lock_version"]
    assert f"New since version {version}" in fail("new")
