"""The short way of a log line brings what the long one brings."""

from __future__ import annotations

import json
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.journal import Record
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from holdfast.protocol.messages import LogLine
from holdfast.worker.outbox import events, lines
from holdfast.worker.outbox.events import Event

RUN = "9d1e0f52-1111-4c4c-8a8a-000000000001"
PLAIN: JsonObject = {
    "source": "JOB", "level": "info", "message": ["a", 1, None, {"b": [True, 1.5]}],
    "timestamp": "1795424525513002",
}  # fmt: skip


def record(body: bytes) -> Record:
    return Record(7, 1_795_424_525_513_002, Kind.LOG, body, 8, 200)


def written(body: JsonObject) -> bytes:
    """As our engine writes it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def sent(body: bytes, *, short: bool) -> tuple[JsonObject, JsonObject]:
    """What goes out alone, and as a part of a batch."""
    (event,) = events.events_of(record(body), None)
    assert bool(event.text) is short, body
    alone = events.render(RUN, event, _no_document).text
    batch = events.render_batch(RUN, [event]).text
    return json.loads(alone), json.loads(batch)["logs"][0]


def _no_document(_: JsonObject) -> str:
    raise AssertionError


def long_way(body: bytes) -> tuple[JsonObject, JsonObject]:
    """The same with a space in the text, which our engine never writes."""
    return sent(body.replace(b"{", b"{ ", 1), short=False)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | TEXTS
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(
    message=st.lists(VALUES, max_size=4),
    source=st.sampled_from(["JOB", "R/T", "CMP", "ü"]),
    step=st.none() | st.uuids().map(str),
)
def test_both_ways_send_the_same(message: list[object], source: str, step: str | None) -> None:
    body = {**PLAIN, "message": message, "source": source}
    if step is not None:
        body["step_id"] = step
    text = written(body)  # type: ignore[arg-type]
    assert sent(text, short=True) == long_way(text)


@pytest.mark.parametrize(
    "body",
    [
        written({**PLAIN, "print": True}),
        written({**PLAIN, "level": "loud"}),
        written({**PLAIN, "source": "much too long"}),
        written({**PLAIN, "timestamp": "yesterday"}),
        written({**PLAIN, "message": "no list"}),
        b'{"source":"JOB","level":"info","message":[NaN],"timestamp":"1795424525513002"}',
        b'{"source":"JOB","level":"info","message":[1],"x":[2],"timestamp":"1795424525513002"}',
        b'{"source":"JOB","level":"info","message":["\xff"],"timestamp":"1795424525513002"}',
        b'{"source":"JOB","level":"info","message":[1e999],"timestamp":"1795424525513002"}',
    ],
)
def test_what_is_not_in_our_form_goes_the_long_way(body: bytes) -> None:
    assert lines.read(record(body)) is None


@pytest.mark.parametrize("text", [r'"\u0000"', r'"\ud800"', r'{"\u0000":1}'])
def test_what_a_platform_cannot_store_is_replaced(text: str) -> None:
    body = written(PLAIN).replace(b'"a"', text.encode())
    alone, part = sent(body, short=True)
    assert "�" in json.dumps(alone, ensure_ascii=False)
    assert alone["message"] == part["message"]


def test_the_id_is_that_of_every_version_before() -> None:
    (event,) = events.events_of(record(written(PLAIN)), None)
    body = event.body
    assert isinstance(body, LogLine)
    space = UUID("5f2b0a6e-0d0c-5c57-9a53-1c6f5d0c6e1b")
    assert lines.identity(RUN, body) == str(uuid5(space, f"{RUN}/7.0"))
    assert UUID(lines.identity(RUN, body)).version == 5


def test_a_line_with_a_part_left_out_goes_the_long_way() -> None:
    (event,) = events.events_of(record(written({**PLAIN, "step_id": "s"})), None)
    bare: Event = event.leaving_out("step_id")
    assert "step_id" not in json.loads(events.render(RUN, bare, _no_document).text)
    assert "step_id" not in json.loads(events.render_batch(RUN, [bare]).text)["logs"][0]
