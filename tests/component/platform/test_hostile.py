"""Whatever a worker sends, the platform answers and lives (4.4: never crash the channel)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from support.platform import FETCH, RunTalk, Served

#: The platform's own thread takes random numbers (websockets) while a case is drawn in this one.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")

EVENTS = [
    "claim", "fetch:plan", "fetch:dataclip", "fetch:credential", "run:start", "step:start",
    "step:complete", "run:log", "run:batch_logs", "run:complete", "phx_join", "x",
]  # fmt: skip
FIELDS = [
    "step_id", "job_id", "timestamp", "reason", "message", "level", "source", "id", "logs",
    "output_dataclip", "output_dataclip_id", "output_dataclip_error", "input_dataclip_id", "mem",
    "duration", "versions", "final_state", "final_dataclip_id", "webhook_response", "error_type",
    "error_message", "demand", "queues", "token", "worker_name", "capacity",
]  # fmt: skip
NASTY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**62, max_value=2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        ["", "\0", "\ud800", "1795424525513089", "9999999999999999", "success", "fail", FETCH,
         "{}", "[", "42", '{"a":' * 50, "'; DROP TABLE runs; --", "x" * 5000]
    ),
)  # fmt: skip
VALUES = st.recursive(
    NASTY,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)
    ),
    max_leaves=8,
)
AT = "1795424525513089"
STEP = {"step_id": "s-1", "job_id": FETCH, "timestamp": AT}
NEARLY_GOOD: dict[str, dict[str, Any]] = {
    "claim": {"demand": 1, "worker_name": "w", "queues": ["*"]},
    "fetch:credential": {"id": "c"},
    "run:start": {"timestamp": AT, "versions": {"node": "24"}},
    "step:start": {**STEP, "input_dataclip_id": "d"},
    "step:complete": {
        **STEP, "reason": "success", "duration": 3, "mem": {"job": 1}, "error_type": None,
        "error_message": None, "output_dataclip_id": "o-1", "output_dataclip": '{"a":1}',
        "webhook_response": {"status": 200},
    },
    "run:log": {"message": ["a"], "source": "JOB", "level": "info", "timestamp": AT, "id": "1"},
    "run:batch_logs": {"logs": [{"message": ["a"], "timestamp": AT}]},
    "run:complete": {"reason": "fail", "timestamp": AT, "final_state": {"a": 1}},
}  # fmt: skip
PAYLOADS = st.one_of(VALUES, st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8))


@pytest.fixture(scope="module")
def talk(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunTalk]:
    with Served(tmp_path_factory.mktemp("hostile") / "data") as served:
        served.deploy()
        served.post()
        with served.worker() as worker:
            worker.patience = 60  # it is only used up where an answer will never come
            yield worker.take()


CALM = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ],  # an answer that is missing costs a minute
)


@CALM
@given(event=st.sampled_from(EVENTS), payload=PAYLOADS, topic=st.sampled_from(["run", "queue"]))
def test_every_event_is_answered(talk: RunTalk, event: str, payload: Any, topic: str) -> None:
    name = f"run:{talk.id}" if topic == "run" else "worker:queue"
    if event == "phx_join":
        name = f"run:{payload!r}"[:200]
    ask(talk, name, event, payload)


@CALM
@given(
    event=st.sampled_from(sorted(NEARLY_GOOD)),
    number=st.integers(0, 20),
    value=VALUES,
    step=st.integers(0, 10**6),
)
def test_every_event_with_one_wrong_field_is_answered(
    talk: RunTalk, event: str, number: int, value: Any, step: int
) -> None:
    payload = {**NEARLY_GOOD[event]}
    if "step_id" in payload:
        payload["step_id"] = f"s-{step}"
    payload[sorted(payload)[number % len(payload)]] = value
    topic = "worker:queue" if event == "claim" else f"run:{talk.id}"
    ask(talk, topic, event, payload)


def ask(talk: RunTalk, topic: str, event: str, payload: Any) -> None:
    ref = talk.worker.send(topic, event, payload)
    beat = talk.worker.send("phoenix", "heartbeat", {})
    talk.worker.pushes.clear()
    talk.worker.reply(beat)
    try:
        assert talk.worker.reply(ref)["status"] in {"ok", "error"}
    except TimeoutError:
        crashed = [frame for frame in talk.worker.pushes if frame[3] == "phx_error"]
        talk.worker.join_run(talk.run)  # for the examples to come
        message = f"no answer to {event} {json.dumps(payload)}; {crashed}"
        raise AssertionError(message) from None
