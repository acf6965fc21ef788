"""Test cases made from recorded runs."""

from __future__ import annotations

from holdfast.bench.bundle import Bundle, RecordedStep
from holdfast.bench.case import case_of
from holdfast.model.json import JsonObject

PLAN: JsonObject = {"workflow": {"name": "w", "steps": [{"id": "u1", "name": "Fetch"}]}}
EXCHANGE: JsonObject = {
    "method": "GET", "url": "https://a.org/p?n=1", "status": 200,
    "headers": {"content-type": "application/json", "date": "now"}, "answer": {"text": '{"n":1}'},
}  # fmt: skip


def bundle(output: str | None, **outcome: str) -> Bundle:
    steps = [RecordedStep("u1", "success", None, {}, {"password": "***"}, output)]
    ended: JsonObject = {"reason": "success", **outcome}
    return Bundle("r", PLAN, {"data": 1}, {}, ended, steps, [EXCHANGE])


def test_what_clock_and_chance_made_is_not_expected() -> None:
    then, now = bundle('{"n":1,"at":5,"in":{"r":2}}'), bundle('{"n":1,"at":6,"in":{"r":3}}')
    case = case_of(then, then, now, {"u1": "fetch"})
    assert case["expect"] == {"fetch": {"n": 1, "in": {}}}
    assert (case["start"], case["path"], case["input"]) == ("fetch", ["fetch"], {"data": 1})
    assert case["credentials"] == {"fetch": {"password": "***"}}


def test_answers_stay_as_they_were() -> None:
    made = bundle("{}")
    assert case_of(made, made, made, {})["requests"] == [
        {
            "method": "GET", "url": "https://a.org/p?n=1", "status": 200, "answer": {"n": 1},
            "headers": {"content-type": "application/json"},
        }
    ]  # fmt: skip


def test_a_run_that_fails_is_expected_to_fail_with_its_code() -> None:
    failed = bundle(None, reason="fail", error_type="JobError")
    assert case_of(failed, failed, failed, {})["fails"] == "JobError"
    failed.outcome["diagnosis"] = {"code": "HF1101"}
    assert case_of(failed, failed, failed, {})["fails"] == "HF1101"
    assert "expect" not in case_of(failed, failed, failed, {})
