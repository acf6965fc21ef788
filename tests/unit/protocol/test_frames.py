"""Phoenix frames: what is written is read, and nothing else is."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.json import JsonObject
from holdfast.protocol.frames import (
    BadFrame,
    BinaryReply,
    Message,
    Raw,
    Reply,
    decode_binary,
    decode_text,
    encode_binary_broadcast,
    encode_binary_push,
    encode_binary_reply,
    encode_text,
    json_object,
    reply_of,
)

REFS = st.none() | st.integers(1, 10**6).map(str)
WORDS = st.text(max_size=40)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)


@given(REFS, REFS, WORDS, WORDS, JSON)
def test_text_frames_come_back(join_ref, ref, topic, event, payload) -> None:  # type: ignore[no-untyped-def]
    message = Message(join_ref, ref, topic, event, payload)
    text = encode_text(message)
    text.encode()
    assert decode_text(text) == message


def test_a_frame_as_the_worker_sends_it() -> None:
    payload: JsonObject = {"demand": 1, "worker_name": None, "queues": ["manual", "*"]}
    frame = encode_text(Message("6", "7", "worker:queue", "claim", payload))
    assert frame == (
        '["6","7","worker:queue","claim",{"demand":1,"worker_name":null,"queues":["manual","*"]}]'
    )


def test_lone_surrogates_are_escaped() -> None:
    message = Message("1", "2", "run:a", "run:log", {"message": ["a\ud800b"]})
    text = encode_text(message)
    assert text.encode()
    assert decode_text(text) == message


def test_prepared_text_is_spliced_in_and_numbers_must_be_json() -> None:
    raw = json_object({"a": 1, "final_state": Raw('{"data":{"n":1e999999}}'), "é": None})
    assert raw.text == '{"a":1,"final_state":{"data":{"n":1e999999}},"é":null}'
    assert encode_text(Message(None, "4", "t", "e", raw)).endswith(raw.text + "]")
    with pytest.raises(ValueError, match="Out of range"):
        encode_text(Message(None, "4", "t", "e", float("nan")))


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "[1,2,3,4]", '["1","2",3,"e",{}]', '["1","2","t",null,{}]', "[" * 100_000],
)
def test_what_is_no_frame_is_refused(text: str) -> None:
    with pytest.raises(BadFrame):
        decode_text(text)


def test_a_payload_nested_too_deeply_is_none_and_the_frame_still_one() -> None:
    payload = Raw('{"a":' + "[" * 5000 + "]" * 5000 + "}")
    text = encode_text(Message("1", None, 't"[,', "event", payload))
    assert decode_text(text) == Message("1", None, 't"[,', "event", None)


def test_the_binary_reply_of_the_specification() -> None:
    message = Message("10", "12", "run:r1", "fetch:dataclip", None)
    data = encode_binary_reply(message, "ok", b"{}")
    assert data == b"\x01\x02\x02\x06\x02" + b"1012run:r1ok" + b"{}"
    read = decode_binary(data)
    assert isinstance(read, BinaryReply)
    assert reply_of(read) == Reply("12", "ok", b"{}")


@given(st.integers(1, 99).map(str), st.text(max_size=30), st.text(max_size=30), st.binary())
def test_binary_pushes_come_back(ref: str, topic: str, event: str, body: bytes) -> None:
    message = Message(ref, "7", topic, event, body)
    assert (
        decode_binary(encode_binary_push(message, from_client=True), from_client=True) == message
    )
    server = Message(ref, None, topic, event, body)
    assert decode_binary(encode_binary_push(server, from_client=False)) == server
    everyone = Message(None, None, topic, event, body)
    assert decode_binary(encode_binary_broadcast(everyone)) == everyone


@given(st.binary(max_size=30), st.booleans())
def test_any_bytes_are_a_frame_or_refused(data: bytes, from_client: bool) -> None:
    with contextlib.suppress(BadFrame):
        decode_binary(data, from_client=from_client)


def test_replies_are_recognised_also_those_of_the_mock() -> None:
    ok: JsonObject = {"status": "ok", "response": {"runs": []}}
    assert reply_of(Message("1", "3", "t", "phx_reply", ok)) == Reply("3", "ok", {"runs": []})
    assert reply_of(Message("1", "3", "t", "chan_reply_3", ok)) == Reply("3", "ok", {"runs": []})
    assert reply_of(Message("1", None, "t", "work-available", {})) is None
    broken = reply_of(Message("1", "3", "t", "phx_reply", "what"))
    assert broken is not None
    assert not broken.ok
