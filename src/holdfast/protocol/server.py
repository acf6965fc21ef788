"""The platform's end of one worker socket: channel rules without I/O.

`Connection.receive` takes a frame and says what it means; the application answers with
`accept`, `refuse`, `reply` and `push`, which give the frames to send. The rules are those of a
Phoenix server (`docs/spec/worker-protocol.md` 1.2, `docs/spec/platform.md` 4.1): every reply
echoes topic, `ref` and `join_ref`; a leave is answered and closed; a second join displaces the
first; a topic that was never joined is `unmatched`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from holdfast.model.json import Json, JsonObject
from holdfast.protocol import frames
from holdfast.protocol.frames import Message, Payload

#: WebSocket close codes. Never 1000: a stock worker then stays away for good (W17).
CLOSE_GOING_AWAY = 1001
CLOSE_BAD_FRAME = 1007
CLOSE_ERROR = 1011
CLOSE_RESTART = 1012


@dataclass(frozen=True, slots=True)
class Send:
    """A frame to send now."""

    message: Message


@dataclass(frozen=True, slots=True)
class Join:
    """The peer asks for a channel: answer with `accept` or `refuse`."""

    message: Message

    @property
    def topic(self) -> str:
        return self.message.topic


@dataclass(frozen=True, slots=True)
class Left:
    """A channel has ended: left, or displaced by a new join of its topic."""

    topic: str
    join_ref: str | None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The peer lives. The reply is among the frames to send already."""


@dataclass(frozen=True, slots=True)
class Event:
    """A push on a joined channel: answer with `reply`."""

    message: Message


Action: TypeAlias = Send | Join | Left | Heartbeat | Event


@dataclass(slots=True)
class Connection:
    """The channels of one socket: topic -> `join_ref` of the join that holds it."""

    channels: dict[str, str | None] = field(default_factory=dict)

    def receive(self, message: Message) -> list[Action]:
        """What a frame means, in the order in which to act."""
        if message.topic == frames.PHOENIX_TOPIC:
            return self._phoenix(message)
        if message.event == frames.PHX_JOIN:
            return self._join(message)
        if message.event == frames.PHX_LEAVE:
            return self._leave(message)
        if message.topic not in self.channels:
            return [Send(unmatched(message))]
        return [Event(message)]

    def accept(self, join: Join, response: JsonObject) -> Message:
        return reply(join.message, "ok", response)

    def refuse(self, join: Join, reason: str) -> Message:
        """The channel is not joined; what else comes for it is `unmatched`."""
        if self.channels.get(join.topic) == _join_ref(join.message):
            self.channels.pop(join.topic, None)
        return reply(join.message, "error", {"reason": reason})

    def push(self, topic: str, event: str, payload: Payload) -> Message | None:
        """A message of our own; None if the channel is not joined."""
        if topic not in self.channels:
            return None
        return Message(self.channels[topic], None, topic, event, payload)

    def crash(self, topic: str) -> Message | None:
        """Tell the peer that its channel broke; it rejoins (1.4)."""
        if topic not in self.channels:
            return None
        join_ref = self.channels.pop(topic)
        return Message(join_ref, join_ref, topic, frames.PHX_ERROR, {})

    def _phoenix(self, message: Message) -> list[Action]:
        if message.event == frames.HEARTBEAT:
            return [Send(reply(message, "ok", {})), Heartbeat()]
        return [Send(unmatched(message))]

    def _join(self, message: Message) -> list[Action]:
        actions: list[Action] = []
        if message.topic in self.channels:
            old = self.channels[message.topic]
            actions.append(Send(Message(old, old, message.topic, frames.PHX_CLOSE, {})))
            actions.append(Left(message.topic, old))
        self.channels[message.topic] = _join_ref(message)
        return [*actions, Join(message)]

    def _leave(self, message: Message) -> list[Action]:
        answer: list[Action] = [Send(reply(message, "ok", {}))]
        known = self.channels.get(message.topic)
        if message.topic not in self.channels or known != message.join_ref:
            return answer  # of a join that was displaced since
        del self.channels[message.topic]
        close = Message(known, known, message.topic, frames.PHX_CLOSE, {})
        return [*answer, Send(close), Left(message.topic, known)]


def reply(message: Message, status: str, response: Json) -> Message:
    """The answer to a push, under the `join_ref` that it came with."""
    return Message(
        _join_ref(message) if message.event == frames.PHX_JOIN else message.join_ref,
        message.ref,
        message.topic,
        frames.PHX_REPLY,
        {"status": status, "response": response},
    )


def unmatched(message: Message) -> Message:
    """The answer on a topic that is not joined."""
    return reply(message, "error", {"reason": "unmatched topic"})


def _join_ref(message: Message) -> str | None:
    """A channel's `join_ref` equals the `ref` of its join, also where a client left it out."""
    return message.join_ref if message.join_ref is not None else message.ref
