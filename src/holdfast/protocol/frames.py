"""Phoenix V2 frames: text arrays and binary messages, in both directions.

Rules: `docs/spec/worker-protocol.md` section 1.

A text frame is `[join_ref, ref, topic, event, payload]`. A binary frame begins with its kind
(0 push, 1 reply, 2 broadcast) and the one-byte lengths of its strings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import TypeAlias, cast

from holdfast.model.errors import HoldfastError
from holdfast.model.json import DEEPEST_DOCUMENT, Json, nests_deeper
from holdfast.model.value import value

PHX_JOIN = "phx_join"
PHX_LEAVE = "phx_leave"
PHX_REPLY = "phx_reply"
PHX_ERROR = "phx_error"
PHX_CLOSE = "phx_close"
HEARTBEAT = "heartbeat"
PHOENIX_TOPIC = "phoenix"
#: lightning-mock names its replies `chan_reply_<ref>`.
_MOCK_REPLY = "chan_reply_"

#: The frame itself, and objects around a document in its payload.
DEEPEST_FRAME = DEEPEST_DOCUMENT + 8

#: Made once: `json.dumps` makes one for every call that is not plain.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_PUSH, _REPLY, _BROADCAST = 0, 1, 2
#: Bytes of a string in a binary frame, whose length is one byte.
_LONGEST = 255
#: A text frame up to its payload.
_HEAD = re.compile(r'\s*\[(?:\s*(?:null|"(?:[^"\\]|\\.)*")\s*,){4}')


class BadFrame(HoldfastError):  # noqa: N818 - named for what came
    """The peer sent something that is not a Phoenix frame."""


@value
class Raw:
    """JSON text that goes into a frame as it is; whoever makes it answers for its validity.

    `clean`: it is known to hold no lone surrogates.
    """

    text: str
    clean: bool = False


#: A payload: JSON, prepared JSON text, or (in binary frames) bytes.
Payload: TypeAlias = "Json | Raw | bytes"


@value
class Message:
    """One frame, read or to be sent."""

    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    payload: Payload


@value
class Reply:
    """The answer to a push. `response` is bytes if it came in a binary frame."""

    ref: str
    status: str
    response: Json | bytes

    @property
    def ok(self) -> bool:
        return self.status == "ok"


def dumps(value: object) -> str:
    """Compact JSON. ValueError for NaN and infinities, which are not JSON."""
    return _ENCODER.encode(value)


def json_object(fields: Mapping[str, Json | Raw]) -> Raw:
    """A JSON object some of whose values are prepared text."""
    parts = [
        f"{dumps(key)}:{value.text if isinstance(value, Raw) else dumps(value)}"
        for key, value in fields.items()
    ]
    return Raw("{" + ",".join(parts) + "}")


def encode_text(message: Message) -> str:
    """The frame as text. TypeError for a bytes payload.

    Lone surrogates, which UTF-8 cannot carry, are written as escapes.
    """
    payload = message.payload
    if isinstance(payload, bytes):
        error = "bytes travel in binary frames only"
        raise TypeError(error)
    strings = (message.join_ref, message.ref, message.topic, message.event)
    head = ",".join("null" if one is None else encode_basestring(one) for one in strings)
    body = payload.text if isinstance(payload, Raw) else dumps(payload)
    text = f"[{head},{body}]"
    try:
        (head if isinstance(payload, Raw) and payload.clean else text).encode()
    except UnicodeEncodeError:
        text = "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def decode_text(text: str) -> Message:
    """The frame a text carries. BadFrame if it is none.

    A payload that is nested too deeply is given as None. The frame still counts: its sender must
    get an answer that refuses it.
    """
    try:
        value = _head(text) if nests_deeper(text, DEEPEST_FRAME) else json.loads(text)
    except ValueError as error:
        message = f"not JSON: {error}"
        raise BadFrame(message) from error
    if not isinstance(value, list) or len(value) != 5:
        message = "not an array of five"
        raise BadFrame(message)
    join_ref, ref, topic, event, payload = value
    if not isinstance(topic, str) or not isinstance(event, str):
        message = "topic and event must be strings"
        raise BadFrame(message)
    return Message(_ref(join_ref), _ref(ref), topic, event, cast("Json", payload))


def encode_binary_reply(message: Message, status: str, body: bytes) -> bytes:
    """A reply to `message` whose response is the given bytes (server → client)."""
    strings = [message.join_ref or "", message.ref or "", message.topic, status]
    return _binary(_REPLY, strings, body)


def encode_binary_push(message: Message, *, from_client: bool) -> bytes:
    """A push whose payload is bytes."""
    refs = [message.join_ref or ""] + ([message.ref or ""] if from_client else [])
    return _binary(_PUSH, [*refs, message.topic, message.event], _bytes(message))


def encode_binary_broadcast(message: Message) -> bytes:
    """A broadcast whose payload is bytes (server → client)."""
    return _binary(_BROADCAST, [message.topic, message.event], _bytes(message))


def decode_binary(data: bytes, *, from_client: bool = False) -> Message:
    """The frame some bytes carry; a reply is a BinaryReply. BadFrame if they are no frame."""
    if not data:
        error = "an empty binary frame"
        raise BadFrame(error)
    kind = data[0]
    if kind == _REPLY and not from_client:
        (join_ref, ref, topic, status), body = _split(data, 4)
        return BinaryReply(join_ref or None, ref or None, topic, PHX_REPLY, body, status)
    if kind == _PUSH and from_client:
        (join_ref, ref, topic, event), body = _split(data, 4)
        return Message(join_ref or None, ref or None, topic, event, body)
    if kind == _PUSH:
        (join_ref, topic, event), body = _split(data, 3)
        return Message(join_ref or None, None, topic, event, body)
    if kind == _BROADCAST and not from_client:
        (topic, event), body = _split(data, 2)
        return Message(None, None, topic, event, body)
    error = f"a binary frame of kind {kind}"
    raise BadFrame(error)


@value
class BinaryReply(Message):
    """A reply whose response came as bytes."""

    status: str


def reply_of(message: Message) -> Reply | None:
    """The reply a message is, or None."""
    if message.ref is None:
        return None
    if isinstance(message, BinaryReply):
        return Reply(message.ref, message.status, cast("bytes", message.payload))
    if message.event != PHX_REPLY and not message.event.startswith(_MOCK_REPLY):
        return None
    payload = message.payload
    if not isinstance(payload, dict):
        return Reply(message.ref, "error", None)
    return Reply(message.ref, str(payload.get("status", "error")), payload.get("response"))


def _head(text: str) -> Json:
    """What stands in front of a payload that cannot be read, and None in its place."""
    found = _HEAD.match(text)
    return None if found is None else cast("Json", json.loads(f"{found[0]}null]"))


def _ref(value: object) -> str | None:
    """A reference as a text that a binary reply can carry. Raises BadFrame."""
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value) if isinstance(value, int) else None
    if text is None or len(text.encode("utf-8", "surrogatepass")) > _LONGEST:
        message = "a reference must be a text or a number of at most 255 bytes"
        raise BadFrame(message)
    return text


def _bytes(message: Message) -> bytes:
    if not isinstance(message.payload, bytes):
        error = "a binary frame carries bytes"
        raise TypeError(error)
    return message.payload


def _binary(kind: int, strings: list[str], body: bytes) -> bytes:
    encoded = [item.encode() for item in strings]
    long = [item for item in encoded if len(item) > _LONGEST]
    if long:
        error = f"too long for a binary frame: {long[0][:40]!r}…"
        raise ValueError(error)
    return bytes([kind, *map(len, encoded)]) + b"".join(encoded) + body


def _split(data: bytes, count: int) -> tuple[list[str], bytes]:
    lengths = data[1 : 1 + count]
    end = 1 + count + sum(lengths)
    if len(lengths) < count or len(data) < end:
        error = "a binary frame that ends too early"
        raise BadFrame(error)
    strings, start = [], 1 + count
    for length in lengths:
        try:
            strings.append(data[start : start + length].decode())
        except UnicodeDecodeError as problem:
            error = "a binary frame whose header is not UTF-8"
            raise BadFrame(error) from problem
        start += length
    return strings, data[end:]
