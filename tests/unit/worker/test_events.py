"""Events have exactly the form of the worker protocol, sections 4.5 to 4.9."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from holdfast.protocol.messages import LOG_LEVELS
from holdfast.worker.outbox import events
from holdfast.worker.outbox.events import Event
from support.tape import TIME, Tape, whole_run


def payload(event: Event) -> Any:
    def read(document: JsonObject) -> str:
        return str(document["inline"])

    return json.loads(events.render("r", event, read).text)


def made(tape: Tape, result: JsonObject | None = None) -> list[Event]:
    return [event for record in tape.records for event in events.events_of(record, result)]


def test_a_run_as_lightning_expects_it() -> None:
    tape = whole_run(logs=1)
    result = next(record for record in tape.records if record.kind == Kind.RESULT).json()
    found = made(tape, result)
    assert [event.name for event in found] == [
        "run:start", "run:log", "step:start", "run:log", "step:complete", "run:log", "run:log",
        "run:complete",
    ]  # fmt: skip
    start, versions, step, log, complete, _, end, final = (payload(event) for event in found)
    assert start == {
        "timestamp": str(TIME + 4),
        "versions": {"worker": "0", "@openfn/language-common": ["3.3.4"]},
    }
    assert versions["source"] == "VER"
    assert versions["message"] == ["Versions: worker 0, @openfn/language-common 3.3.4"]
    assert step == {
        "step_id": "s1", "job_id": "j1", "timestamp": str(TIME + 6), "input_dataclip_id": "d0",
    }  # fmt: skip
    assert log == {
        "run_id": "r", "message": ["line 0"], "source": "JOB", "level": "info",
        "timestamp": str(TIME + 7), "step_id": "s1", "id": log["id"],
    }  # fmt: skip
    assert complete == {
        "step_id": "s1", "job_id": "j1", "timestamp": str(TIME + 9), "duration": 13,
        "thread_id": 2, "mem": {"job": 1, "system": 2}, "reason": "success", "error_type": None,
        "error_message": None, "output_dataclip_id": "d1",
        "output_dataclip": '{"data":{"n":1}}', "dataclip_size_mb": "0.0000153",
    }  # fmt: skip
    assert end["message"] == ["Run complete with status: success"]
    assert final == {
        "timestamp": str(TIME + 12), "reason": "success", "error_type": None,
        "error_message": None, "final_dataclip_id": "d1", "final_state": {"data": {"n": 1}},
    }  # fmt: skip


def test_an_error_has_two_lines_and_no_state() -> None:
    tape = Tape()
    tape.add(Kind.OUTCOME, reason="kill", error_type="OOMError", error_message="too much")
    found = made(tape, {"final_dataclip_id": "d", "final_state": {"inline": "{}"}})
    texts = [payload(event)["message"][0] for event in found[:-1]]
    assert texts == ["Run complete with status: kill", "OOMError: too much"]
    assert payload(found[-1]) == {
        "timestamp": str(TIME + 1), "reason": "kill", "error_type": "OOMError",
        "error_message": "too much",
    }  # fmt: skip


def step_complete(**output: object) -> Event:
    tape = Tape()
    tape.add(Kind.STEP_COMPLETE, step_id="s", job_id="j", reason="crash",
             output_dataclip_id="d", **output)  # fmt: skip
    return made(tape)[0]


def test_w35_a_step_that_was_cut_off_has_no_invented_output() -> None:
    body = payload(step_complete())
    assert not {"output_dataclip", "output_dataclip_id", "mem", "duration"} & set(body)


def test_outputs_that_are_withheld_or_not_saved() -> None:
    withheld = payload(step_complete(output={"withheld": "DATACLIP_TOO_LARGE", "bytes": 9}))
    assert withheld["output_dataclip_error"] == "DATACLIP_TOO_LARGE"
    assert not {"output_dataclip", "output_dataclip_id"} & set(withheld)
    unsaved = payload(step_complete(output={"omitted": True}))
    assert unsaved["output_dataclip_id"] == "d"
    assert "output_dataclip" not in unsaved


def test_the_answer_to_a_webhook_is_sent_from_its_document() -> None:
    answer = {"status": 202, "body": {"ok": True}}
    document = {"inline": json.dumps(answer)}
    event = step_complete(webhook_response_document=document)
    assert payload(event)["webhook_response"] == answer


#: What a run process can write into a document: none of it may become a part of a frame.
NO_JSON = (
    '1}] ,"x":1', "", "{", "NaN", '"\x01"', '"\ud800"', "[" * 5000 + "]" * 5000, "1 2", "\ufeff1",
)  # fmt: skip


@pytest.mark.parametrize("document", NO_JSON)
def test_what_is_no_json_never_becomes_part_of_a_frame(document: str) -> None:
    tape, inline = Tape(), {"inline": document}
    answer: JsonObject = {"webhook_response_document": {**inline}}
    tape.add(Kind.STEP_COMPLETE, step_id="s1", job_id="j1", reason="success", **answer)
    tape.add(Kind.OUTCOME, reason="success")
    step, *_, outcome = made(tape, {"final_state": {**inline}})
    for event, part in ((step, "response"), (outcome, "final_state")):
        if document == '"\ud800"':
            payload(event)  # it can be mended
            continue
        with pytest.raises(events.Unreadable) as caught:
            payload(event)
        assert caught.value.part == part
    assert "webhook_response" not in payload(step.leaving_out("response"))
    assert payload(outcome.leaving_out("final_state"))["final_state"] == {"data": "[REDACTED]"}


def test_both_documents_of_a_step_can_be_left_out() -> None:
    event = step_complete(
        output={"inline": "1"}, webhook_response_document={"inline": '{"body":1}'}
    )
    assert payload(event)["webhook_response"] == {"body": 1}
    for part in ("large output", "response"):  # what makes the frame too large goes, one by one
        less = events.smaller(event)
        assert less is not None
        assert less.without - event.without == {part}
        event = less
    assert events.smaller(event) is None


def test_w20_large_parts_can_be_left_out_of_every_event_that_has_one() -> None:
    step = step_complete(output={"inline": '{"data":1}'})
    less = events.smaller(step)
    assert less is not None
    assert payload(less)["output_dataclip_error"] == "DATACLIP_TOO_LARGE"
    assert events.smaller(less) is None
    tape = Tape()
    tape.log("x" * 1000)
    line = events.smaller(made(tape)[0])
    assert line is not None
    assert payload(line)["message"] == ["[REDACTED: Message length exceeds payload limit]"]
    tape.add(Kind.OUTCOME, reason="success")
    final = made(tape, {"final_dataclip_id": "d", "final_state": {"inline": '{"a":1}'}})[-1]
    bare = events.smaller(final)
    assert bare is not None
    examined: JsonObject = {"advice": "less"}

    def inline(document: JsonObject) -> str:
        return str(document["inline"])

    whole = events.render("r", final, inline, postmortem=examined, spans={"n": 1}).text
    assert (json.loads(whole)["postmortem"], json.loads(whole)["spans"]) == (examined, {"n": 1})
    without = events.render("r", bare, inline, postmortem=examined, spans={"n": 1}).text
    assert not {"postmortem", "spans"} & json.loads(without).keys()
    assert "final_state" in json.loads(without)
    shrunk = events.smaller(bare)
    assert shrunk is not None
    assert events.smaller(shrunk) is None
    assert payload(shrunk)["final_state"] == {"data": "[REDACTED]"}
    assert payload(shrunk)["final_dataclip_id"] == "d", "which the platform has whole"


def test_an_outcome_goes_without_what_the_platform_does_not_know() -> None:
    tape = Tape()
    tape.add(Kind.OUTCOME, reason="success")
    final = made(tape, {"final_dataclip_id": "d", "final_state": {"inline": '{"a":1}'}})[-1]
    first = events.alternatives(final, {"errors": {"final_dataclip_id": ["does not exist"]}})
    assert first is not None
    assert payload(first)["final_state"] == {"a": 1}
    assert "final_dataclip_id" not in payload(first)
    assert events.alternatives(first, "whatever") is None
    second = events.alternatives(first, {"final_state": ["is invalid"]})
    assert second is not None
    assert events.alternatives(second, {"final_state": ["is invalid"]}) is None


def test_a_log_line_of_an_unknown_step_goes_without_the_step() -> None:
    tape = Tape()
    tape.log("hello", "s9")
    error: JsonObject = {"step_id": ["must be associated with the run"]}
    less = events.alternatives(made(tape)[0], error)
    assert less is not None
    assert "step_id" not in payload(less)
    assert events.alternatives(less, error) is None


def test_lines_of_a_hostile_run_become_lines_lightning_accepts() -> None:
    tape = Tape()
    tape.add(Kind.LOG, source="very long source", level="loud", message="text", timestamp="now")
    line = payload(made(tape)[0])
    assert line["source"] == "very lon"
    assert line["level"] in LOG_LEVELS
    assert line["message"] == ["text"]
    assert line["timestamp"] == str(TIME + 1)
    broken = Tape()
    record = broken.add(Kind.LOG, message=[float("inf")])
    assert payload(events.events_of(record, None)[0])["message"] == [None]


def test_lines_carry_uuids_of_run_and_number_that_a_repeat_has_too() -> None:
    tape = Tape()
    tape.log("a")
    tape.log("b")
    found = made(tape)
    ids = [payload(event)["id"] for event in found]
    assert len(set(ids)) == 2
    assert {UUID(text).version for text in ids} == {5}
    assert [payload(event)["id"] for event in made(tape)] == ids
    batch = json.loads(events.render_batch("r", found).text)
    assert [line["message"] for line in batch["logs"]] == [["a"], ["b"]]
    assert [line["id"] for line in batch["logs"]] == ids
    other = json.loads(events.render_batch("another run", found).text)
    assert not {line["id"] for line in other["logs"]} & set(ids)


#: JSON text of a value, and what a Lightning may be given in its place.
UNSTORABLE = [
    (r'"a\u0000b"', "a\ufffdb"),
    (r'"a\\u0000b"', r"a\u0000b"),
    (r'"a\\\u0000b"', "a\\\ufffdb"),
    (r'"\ud83d\ude00"', "\U0001f600"),
    (r'"\ud83d"', "\ufffd"),
    (r'"\ude00\ud83d"', "\ufffd\ufffd"),
    (r'"\uD83DA"', "\ufffdA"),
    (r'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
    ('"\ud800"', "\ufffd"),
]


@pytest.mark.parametrize(("text", "stored"), UNSTORABLE)
def test_nul_and_lone_surrogates_are_replaced_in_every_part(text: str, stored: str) -> None:
    """In values and keys, at any depth, in documents, lines and error types."""
    value = json.loads(text)
    nested = f'{{"a":[{{{text}:{{"deep":[{text}]}}}}]}}'
    expected = {"a": [{stored: {"deep": [stored]}}]}
    event = step_complete(
        output={"inline": nested}, webhook_response_document={"inline": nested},
        error_type=value, error_message=value,
    )  # fmt: skip
    sent = payload(event)
    assert json.loads(sent["output_dataclip"]) == expected
    assert sent["webhook_response"] == expected
    assert (sent["error_type"], sent["error_message"]) == (stored, stored)
    tape = Tape()
    tape.add(Kind.LOG, source="JOB", level="info", message=[value, {value: value}])
    line = payload(made(tape)[0])
    assert line["message"] == [stored, {stored: stored}]
    tape.add(Kind.OUTCOME, reason="crash", error_type=value, error_message="x")
    final = payload(made(tape, {"final_state": {"inline": nested}})[-1])
    assert final["error_type"] == stored


def test_output_that_is_refused_is_not_called_too_large() -> None:
    event = step_complete(output={"inline": '{"data":1}'})
    for less in (
        events.alternatives(event, {"output_dataclip": ["is invalid"]}),
        events.simpler(event),
    ):
        assert less is not None
        sent = payload(less)
        assert not {"output_dataclip", "output_dataclip_id", "output_dataclip_error"} & set(sent)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.00"),
        (9.5367431640625e-06, "0.00000954"),
        (9.5e-07, "9.50e-7"),
        (123.456, "123"),
        (0.5, "0.500"),
        (9.999, "10.0"),
        (1234.0, "1.23e+3"),
        (0.0, "0.00"),
    ],
)
def test_sizes_have_three_significant_digits(value: float, text: str) -> None:
    assert events.three_digits(value) == text


def test_outputs_may_go_as_json_values() -> None:
    tape = whole_run(logs=0)
    (complete,) = [event for event in made(tape) if event.name == "step:complete"]
    sent = events.render("r", complete, lambda document: str(document["inline"]), native=True)
    assert json.loads(sent.text)["output_dataclip"] == {"data": {"n": 1}}


def test_a_large_document_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    checks: list[str] = []
    monkeypatch.setattr(events, "check_json", lambda text: not checks.append(text))  # type: ignore[func-returns-value]
    monkeypatch.setattr(events, "_CHECKED", {})
    tape = Tape()
    for digest in ("a" * 64, "a" * 64, "b" * 64):
        tape.add(
            Kind.STEP_COMPLETE, step_id="s", job_id="j", reason="success", output_dataclip_id="c",
            output={"blob": digest, "bytes": 8},
        )  # fmt: skip
    for event in made(tape):
        events.render("r", event, lambda _: '{"n": 1}')
    assert len(checks) == 2
