"""Event schemas: what the worker builds, the platform reads; errors have Lightning's shape."""

from __future__ import annotations

import json

import pytest

from holdfast.model.json import Json
from holdfast.model.refusal import words_of
from holdfast.protocol.frames import Raw
from holdfast.protocol.messages import (
    Claim,
    ClaimedRun,
    Extension,
    InvalidPayload,
    LogLine,
    QueueJoin,
    RunComplete,
    RunStart,
    StepComplete,
    StepStart,
    batch_lines,
    claimed_runs,
    means_known,
    timestamp_us,
)

TIME = "1795424525513089"
NO_TIME = "is not a Unix time in milli- or microseconds"


@pytest.mark.parametrize(
    "value",
    [
        QueueJoin(5, {"manual>*": 5}),
        Claim(1, "worker-7f9c", ("fast_lane",)),
        Claim(),
        RunStart(TIME, {"worker": "0.1.0", "@openfn/language-http": ["7.2.0"]}),
        StepStart("s1", "j1", TIME, "d1"),
        StepStart("s1", "j1", TIME),
        StepComplete("s1", "j1", "success", TIME, 1508, 2, {"job": 1, "system": 2},
                     output_dataclip_id="d2", output_dataclip='{"data":1}',
                     webhook_response={"status": 202}),
        StepComplete("s1", "j1", "kill", error_type="OOMError", error_message="too much"),
    ],
)  # fmt: skip
def test_both_directions_agree(value: QueueJoin | Claim | RunStart | StepStart) -> None:
    assert type(value).from_payload(json.loads(json.dumps(value.to_payload()))) == value


def test_claims_keep_the_key_that_lightning_matches_on() -> None:
    assert Claim().to_payload()["worker_name"] is None
    broken: list[Json] = [None, [], "manual", [1], {}]
    for queues in broken:
        assert Claim.from_payload({"demand": 0, "queues": queues}).queues == ("manual", "*")


def test_claim_replies_of_every_kind() -> None:
    run: Json = {"id": "r", "token": "t"}
    assert claimed_runs({"runs": [run, {"id": "x"}, 7]}) == [ClaimedRun("r", "t")]
    assert claimed_runs({}) == claimed_runs(None) == claimed_runs(b"") == []
    assert "t" not in repr(ClaimedRun("r", "secret")).replace("token", "")


def test_the_completion_carries_a_state_as_it_stands() -> None:
    payload = RunComplete("success", None, None, TIME, "d1", Raw('{"data":{"n":1}}')).to_payload()
    assert json.loads(payload.text) == {
        "timestamp": TIME, "reason": "success", "error_type": None, "error_message": None,
        "final_dataclip_id": "d1", "final_state": {"data": {"n": 1}},
    }  # fmt: skip
    short = RunComplete("kill", "OOMError", "too much").to_payload()
    assert json.loads(short.text) == {
        "reason": "kill", "error_type": "OOMError", "error_message": "too much",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "errors"),
    [
        ({"step_id": "s", "timestamp": TIME}, {"job_id": ["This field can't be blank."]}),
        ({"job_id": None}, {"job_id": ["Job not found!"]}),
        ({"job_id": "j", "timestamp": TIME}, {"step_id": ["can't be blank"]}),
        ({"job_id": "j", "step_id": "s"}, {"timestamp": [NO_TIME]}),
        ("text", {"payload": ["is not an object"]}),
    ],
)  # fmt: skip
def test_refusals_have_lightnings_shape(payload: Json, errors: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidPayload) as caught:
        StepStart.from_payload(payload)
    assert caught.value.response == {"errors": errors}


def test_times_in_every_form_lightning_reads() -> None:
    assert timestamp_us(TIME) == int(TIME)
    assert timestamp_us("1795424525513") == timestamp_us(1795424525513) == 1795424525513000
    for broken in ("", "now", 1.5, None, True, "17954245255130891"):
        with pytest.raises(InvalidPayload):
            timestamp_us(broken)


def test_log_lines_alone_and_in_a_batch() -> None:
    lines = [LogLine(TIME, ["a", {"n": 1}], "JOB", "info", "s1"), LogLine(TIME, ["b"], "R/T")]
    assert batch_lines({"run_id": "r1", "logs": [line.to_line() for line in lines]}) == lines
    assert (
        LogLine.from_line({"message": ["x"], "timestamp": TIME, "source": "x" * 20}).source
        == "x" * 8
    )
    with pytest.raises(InvalidPayload):
        batch_lines({"logs": [lines[0].to_line(), {"message": ["x"]}]})
    with pytest.raises(InvalidPayload):
        LogLine.from_line({"message": ["x"], "timestamp": TIME, "level": "loud"})


def test_what_is_known_already_counts_as_accepted() -> None:
    assert means_known({"state": ["already in completed state"]})
    assert means_known({"errors": {"id": ["has already been taken"]}})
    assert not means_known({"errors": {"step_id": ["not found"]}})


def test_the_extension_is_off_unless_offered() -> None:
    replies: list[Json | bytes] = [{}, "ok", None, {"holdfast": True}, b""]
    for reply in replies:
        assert Extension.from_response(reply) == Extension()
    whole = Extension(64, True, True, True)
    assert Extension.from_response(whole.to_payload()) == whole
    assert Extension.from_response({"holdfast": {"window": 0}}).window == 1


@pytest.mark.parametrize(
    ("response", "words"),
    [
        ({"errors": {"id": ["Credential not found!"]}}, "id: Credential not found!"),
        ({"errors": {"a": ["x", "y"], "b": "z"}}, "a: x, y; b: z"),
        ({"errors": {}}, '{"errors":{}}'),
        ({"errors": {"a": ["x"]}, "more": 1}, '{"errors":{"a":["x"]},"more":1}'),
        ({"reason": None}, '{"reason":null}'),
        ("unmatched topic", "unmatched topic"),
        (b"as it is", "as it is"),
    ],
)
def test_a_refusal_is_told_in_words(response: Json | bytes, words: str) -> None:
    assert words_of(response) == words


@pytest.mark.parametrize(
    ("told", "reason"), [("jo wants it", "jo wants it"), ("", None), (3, None)]
)
def test_a_wish_to_cancel_is_a_text(told: Json, reason: str | None) -> None:
    assert Extension.from_response({"holdfast": {"cancel": told}}).cancel == reason
    assert "cancel" not in json.dumps(Extension().to_payload())
