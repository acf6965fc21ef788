"""The client's side of Phoenix channels, without sockets and clocks.

Feed it what happens (`connected`, `received`, `disconnected`, `tick`), send what `outgoing`
returns, act on what `happenings` returns. Times are seconds of any steady clock.

Rules beyond `docs/spec/worker-protocol.md` section 1, each because of a weakness listed there:

- A push is sent at once or refused (`NotJoined`); nothing waits in a hidden queue with a timer
  running (W24). What was sent and not answered when a channel or connection is lost is reported
  as `Unanswered`, so that its owner can send it again (W9).
- Every close means reconnect, also code 1000 (W17), and every channel that was not left is
  joined again, also after `phx_close` (W16).
- A phx_error or a refused join is followed by a pause that grows until its owner reports progress:
  a channel that crashes at every message would be joined again and again.
- Any frame from the peer proves that it lives; a heartbeat that brings none within
  `HEARTBEAT_WAIT_SECONDS` ends the connection: 40 s from silence to notice (W18).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject
from holdfast.model.value import value
from holdfast.protocol.frames import (
    HEARTBEAT,
    PHOENIX_TOPIC,
    PHX_CLOSE,
    PHX_ERROR,
    PHX_JOIN,
    PHX_LEAVE,
    BadFrame,
    Message,
    Payload,
    Reply,
    decode_binary,
    decode_text,
    encode_text,
    reply_of,
)

HEARTBEAT_SECONDS = 25.0
HEARTBEAT_WAIT_SECONDS = 15.0
#: Pauses before a channel is joined again while the connection is up.
REJOIN_SECONDS = (1.0, 2.0, 5.0, 10.0)
#: The pause after a crash or close of a channel that has done its work before.
QUICK_SECONDS = 0.2
#: Close codes that speak against a frame that was sent: not text, too large, or one that ended the
#: peer's process (`docs/spec/lightning-answers.md` 1).
FRAME_CODES = frozenset({1007, 1009, 1011})


class NotJoined(HoldfastError):  # noqa: N818 - states a fact
    """A push on a channel that is not joined now; nothing was sent."""


class State(Enum):
    """Life of a channel."""

    WAITING = "waiting"  # to be joined: no connection, or a pause after a failure
    JOINING = "joining"  # phx_join is unanswered
    JOINED = "joined"


class Loss(Enum):
    """Why a channel is not joined any more."""

    CONNECTION = "connection"  # the socket closed
    ERROR = "phx_error"  # the channel's process died on the platform
    CLOSE = "phx_close"  # the platform closed the channel, or it is joined anew
    FRAME = "frame"  # the socket closed with a code that speaks against a frame


@dataclass(frozen=True, slots=True)
class Joined:
    """A channel is joined; on a rejoin this comes again."""

    topic: str
    response: Json | bytes


@dataclass(frozen=True, slots=True)
class JoinRefused:
    """The platform refused a join. It is tried again later unless the channel is left."""

    topic: str
    response: Json | bytes


@dataclass(frozen=True, slots=True)
class JoinTimedOut:
    """A join was not answered in time. It is tried again later unless the channel is left."""

    topic: str


@dataclass(frozen=True, slots=True)
class ChannelLost:
    """A joined channel is joined no more; it will be joined again unless it is left."""

    topic: str
    loss: Loss


@value
class Replied:
    """The answer to a push."""

    topic: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A push whose answer will not come: the channel was lost (`loss`) or time ran out (None)."""

    topic: str
    ref: str
    loss: Loss | None


@dataclass(frozen=True, slots=True)
class Late:
    """An answer after its time was up: not an ending, but it may carry news (claimed runs)."""

    topic: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class Pushed:
    """The platform pushed an event."""

    topic: str
    event: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class PeerSilent:
    """The peer did not answer a heartbeat: close the connection and call `disconnected`."""


Happening: TypeAlias = (
    "Joined | JoinRefused | JoinTimedOut | ChannelLost | Replied | Unanswered | Pushed"
    " | PeerSilent | Late"
)


@dataclass(slots=True)
class _Push:
    """What was sent. Answers come in order: each gives those behind it their full time again."""

    seconds: float
    deadline: float


@dataclass(slots=True)
class _Channel:
    topic: str
    payload: JsonObject
    timeout: float
    state: State = State.WAITING
    told: bool = False  # JOINED: `happenings` has said so
    join_ref: str = ""
    due: float | None = None  # JOINING: the answer; WAITING: the next attempt
    failures: int = 0
    heard: float = 0.0  # when a push was answered last
    pushes: dict[str, _Push] = field(default_factory=dict)  # by ref
    overdue: set[str] = field(default_factory=set)  # refs whose time was up


class Client:
    """All channels of one worker, through any number of connections."""

    def __init__(self) -> None:
        self.up = False
        self._channels: dict[str, _Channel] = {}
        self._ref = 0
        self._out: list[str] = []
        self._happened: list[Happening] = []
        self._beat_due: float | None = None
        self._answer_due: float | None = None

    # What happens outside

    def connected(self, now: float) -> None:
        """A new connection is up: join everything."""
        self.up = True
        self._out.clear()
        self._beat_due, self._answer_due = now + HEARTBEAT_SECONDS, None
        for channel in self._channels.values():
            self._send_join(channel, now)

    def disconnected(self, code: int | None = None) -> None:
        """The connection is gone; `code` is the peer's close code, if it gave one."""
        loss = Loss.FRAME if code in FRAME_CODES else Loss.CONNECTION
        self.up = False
        self._out.clear()
        self._beat_due = self._answer_due = None
        for channel in self._channels.values():
            self._lose(channel, loss)

    def received(self, data: str | bytes, now: float) -> None:
        """A frame came. BadFrame if it is none (the peer lives nevertheless)."""
        self._answer_due = None
        message = decode_text(data) if isinstance(data, str) else decode_binary(data)
        channel = self._channels.get(message.topic)
        if channel is None or message.join_ref not in (None, channel.join_ref):
            return
        reply = reply_of(message)
        if reply is not None:
            self._replied(channel, reply, now)
        elif message.event in (PHX_ERROR, PHX_CLOSE):
            if channel.state is State.WAITING:
                return  # the answer to a leave of ours
            loss = Loss.ERROR if message.event == PHX_ERROR else Loss.CLOSE
            self._lose(channel, loss)
            channel.due = now + self._pause(channel, quick=True)
        else:
            self._happened.append(Pushed(message.topic, message.event, message.payload))

    def tick(self, now: float) -> None:
        """Time has passed."""
        if not self.up:
            return
        for channel in list(self._channels.values()):
            self._tick_channel(channel, now)
        if self._answer_due is not None and now >= self._answer_due:
            self._answer_due = None
            self._happened.append(PeerSilent())
        elif self._beat_due is not None and now >= self._beat_due:
            self._send(None, self._next_ref(), PHOENIX_TOPIC, HEARTBEAT, {})
            self._beat_due = now + HEARTBEAT_SECONDS
            self._answer_due = now + HEARTBEAT_WAIT_SECONDS

    # What the worker wants

    def join(self, topic: str, payload: JsonObject, now: float, *, timeout: float) -> None:
        """Join a channel and keep it joined until `leave`. A new payload replaces the old one."""
        channel = self._channels.get(topic)
        if channel is None:
            channel = self._channels[topic] = _Channel(topic, payload, timeout)
        channel.payload, channel.timeout = payload, timeout
        if self.up and channel.state is State.WAITING:
            self._send_join(channel, now)

    def rejoin(self, topic: str, now: float) -> None:
        """Join a joined channel anew: the platform ends the process behind it, and with it what
        waits there unanswered."""
        channel = self._channels.get(topic)
        if channel is not None and channel.state is State.JOINED:
            self._lose(channel, Loss.CLOSE)
            self._send_join(channel, now)

    def progress(self, topic: str) -> None:
        """The channel does its work: after its next failure it is joined again at once."""
        channel = self._channels.get(topic)
        if channel is not None:
            channel.failures = 0

    def leave(self, topic: str) -> None:
        """Leave a channel; its pushes are reported as unanswered."""
        channel = self._channels.pop(topic, None)
        if channel is None:
            return
        if self.up and channel.state is not State.WAITING:
            self._send(channel.join_ref, self._next_ref(), topic, PHX_LEAVE, {})
        self._drop_pushes(channel, Loss.CLOSE)

    def push(self, topic: str, event: str, payload: Payload, now: float, *, timeout: float) -> str:
        """Send an event now; returns its ref. NotJoined if the channel cannot take it now."""
        channel = self._channels.get(topic)
        if channel is None or not self.joined(topic):
            message = f"{topic} is not joined"
            raise NotJoined(message)
        ref = self._next_ref()
        self._send(channel.join_ref, ref, topic, event, payload)
        channel.pushes[ref] = _Push(timeout, now + timeout)
        return ref

    def joined(self, topic: str) -> bool:
        """Whether a push on this topic would be sent.

        A join counts once `happenings` has told of it: what it needs first (the secrets by which
        the platform masks lines) is asked for then.
        """
        channel = self._channels.get(topic)
        return channel is not None and channel.state is State.JOINED and channel.told

    # What comes out

    def outgoing(self) -> list[str]:
        """Frames to send, each once."""
        out, self._out = self._out, []
        return out

    def happenings(self) -> list[Happening]:
        """What happened since the last call."""
        happened, self._happened = self._happened, []
        for one in happened:
            if isinstance(one, Joined) and one.topic in self._channels:
                self._channels[one.topic].told = True
        return happened

    def next_deadline(self) -> float | None:
        """When `tick` has something to do; None while nothing waits."""
        return min(self._deadlines(), default=None)

    # Inside

    def _deadlines(self) -> Iterator[float]:
        if not self.up:
            return
        for due in (self._beat_due, self._answer_due):
            if due is not None:
                yield due
        for channel in self._channels.values():
            if channel.due is not None:
                yield channel.due
            if channel.pushes:  # the first is due first: all of a channel are given the same time
                yield next(iter(channel.pushes.values())).deadline

    def _tick_channel(self, channel: _Channel, now: float) -> None:
        for ref, push in list(channel.pushes.items()):
            if now >= push.deadline:
                push.deadline = max(push.deadline, channel.heard + push.seconds)
            if now >= push.deadline:
                del channel.pushes[ref]
                channel.overdue.add(ref)
                self._happened.append(Unanswered(channel.topic, ref, None))
        if channel.due is None or now < channel.due:
            return
        if channel.state is State.JOINING:
            self._happened.append(JoinTimedOut(channel.topic))
            # The platform may have joined us: take that back before the next attempt.
            self._send(channel.join_ref, self._next_ref(), channel.topic, PHX_LEAVE, {})
            channel.state = State.WAITING
            channel.due = now + self._pause(channel)
        elif channel.state is State.WAITING:
            self._send_join(channel, now)

    def _replied(self, channel: _Channel, reply: Reply, now: float) -> None:
        if channel.state is State.JOINING and reply.ref == channel.join_ref:
            if reply.ok:
                channel.state, channel.due, channel.told = State.JOINED, None, False
                self._happened.append(Joined(channel.topic, reply.response))
            else:
                channel.state = State.WAITING
                channel.due = now + self._pause(channel)
                self._happened.append(JoinRefused(channel.topic, reply.response))
        elif _unmatched(reply) and reply.ref in channel.pushes:
            # The platform has no such channel any more; its phx_error or phx_close is under way.
            self._lose(channel, Loss.CLOSE)
            channel.due = now + self._pause(channel, quick=True)
        elif channel.pushes.pop(reply.ref, None) is not None:
            channel.heard = now
            self._happened.append(Replied(channel.topic, reply))
        elif reply.ref in channel.overdue:
            channel.overdue.discard(reply.ref)
            self._happened.append(Late(channel.topic, reply))

    def _lose(self, channel: _Channel, loss: Loss) -> None:
        was_joined = channel.state is State.JOINED
        channel.state, channel.due = State.WAITING, None
        if was_joined:
            self._happened.append(ChannelLost(channel.topic, loss))
        self._drop_pushes(channel, loss)

    def _drop_pushes(self, channel: _Channel, loss: Loss) -> None:
        for ref in channel.pushes:
            self._happened.append(Unanswered(channel.topic, ref, loss))
        channel.pushes.clear()
        channel.overdue.clear()

    def _send_join(self, channel: _Channel, now: float) -> None:
        ref = self._next_ref()
        channel.state, channel.join_ref = State.JOINING, ref
        channel.due = now + channel.timeout
        self._send(ref, ref, channel.topic, PHX_JOIN, channel.payload)

    def _pause(self, channel: _Channel, *, quick: bool = False) -> float:
        if quick and channel.failures == 0:
            channel.failures = 1
            return QUICK_SECONDS
        pause = REJOIN_SECONDS[min(channel.failures, len(REJOIN_SECONDS) - 1)]
        channel.failures += 1
        return pause

    def _send(
        self, join_ref: str | None, ref: str, topic: str, event: str, payload: Payload
    ) -> None:
        self._out.append(encode_text(Message(join_ref, ref, topic, event, payload)))

    def _next_ref(self) -> str:
        self._ref += 1
        return str(self._ref)


def _unmatched(reply: Reply) -> bool:
    """Whether the platform says that it knows no such channel: no word about the event itself."""
    answer = reply.response
    return not reply.ok and isinstance(answer, dict) and answer.get("reason") == "unmatched topic"


__all__ = [
    "BadFrame", "ChannelLost", "Client", "Happening", "JoinRefused", "JoinTimedOut", "Joined",
    "Late", "Loss", "NotJoined", "PeerSilent", "Pushed", "Replied", "State", "Unanswered",
]  # fmt: skip
