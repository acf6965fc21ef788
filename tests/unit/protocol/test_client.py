"""The client's channels: rejoin, heartbeat, and one ending for every push."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.protocol.backoff import Backoff
from holdfast.protocol.client import (
    ChannelLost,
    Client,
    Happening,
    Joined,
    JoinRefused,
    JoinTimedOut,
    Late,
    Loss,
    NotJoined,
    PeerSilent,
    Pushed,
    Replied,
    Unanswered,
)
from holdfast.protocol.frames import Message, Payload, decode_text, encode_text


def answer(frame: str, status: str = "ok", response: Payload = None) -> str:
    got = decode_text(frame)
    payload = {"status": status, "response": response}
    return encode_text(Message(got.join_ref, got.ref, got.topic, "phx_reply", payload))  # type: ignore[arg-type]


def push_from_server(topic: str, event: str, join_ref: str | None = None) -> str:
    return encode_text(Message(join_ref, join_ref, topic, event, {}))


def joined_client(topic: str = "run:a") -> tuple[Client, str]:
    """A client that is joined to one topic, and its join_ref."""
    client = Client()
    client.join(topic, {"token": "t"}, 0.0, timeout=30)
    client.connected(0.0)
    (frame,) = client.outgoing()
    client.received(answer(frame, response={}), 0.1)
    assert client.happenings() == [Joined(topic, {})]
    return client, str(decode_text(frame).join_ref)


def test_a_push_is_answered() -> None:
    client, join_ref = joined_client()
    ref = client.push("run:a", "run:start", {}, 1.0, timeout=30)
    (frame,) = client.outgoing()
    assert decode_text(frame) == Message(join_ref, ref, "run:a", "run:start", {})
    client.received(answer(frame), 2.0)
    (happened,) = client.happenings()
    assert isinstance(happened, Replied)
    assert happened.reply.ref == ref
    client.received(answer(frame), 3.0)  # a duplicated answer
    assert client.happenings() == []


def test_nothing_goes_out_on_a_join_that_nobody_was_told_of() -> None:
    """Else lines go out before the secrets by which the new channel masks them."""
    client, _ = joined_client()
    client.disconnected(1006)
    client.connected(2.0)
    (frame,) = client.outgoing()
    client.received(answer(frame, response={}), 2.1)
    assert not client.joined("run:a")
    with pytest.raises(NotJoined):
        client.push("run:a", "run:log", {}, 2.1, timeout=30)
    assert client.outgoing() == []
    assert client.happenings()[-1] == Joined("run:a", {})
    assert client.joined("run:a")
    assert client.push("run:a", "run:log", {}, 2.2, timeout=30)


def test_an_answer_after_its_time_is_told_apart() -> None:
    """A claim's late answer brings runs that are ours: it must not be dropped."""
    client, _ = joined_client()
    ref = client.push("run:a", "claim", {}, 1.0, timeout=3)
    (frame,) = client.outgoing()
    client.tick(4.0)
    assert client.happenings() == [Unanswered("run:a", ref, None)]
    client.received(answer(frame), 5.0)
    client.received(answer(frame), 5.0)
    (late,) = client.happenings()
    assert isinstance(late, Late)
    assert late.reply.ref == ref


def test_nothing_is_sent_on_a_channel_that_is_not_joined() -> None:
    client = Client()
    with pytest.raises(NotJoined):
        client.push("run:a", "run:log", {}, 0.0, timeout=30)
    client.join("run:a", {}, 0.0, timeout=30)
    client.connected(0.0)
    with pytest.raises(NotJoined):
        client.push("run:a", "run:log", {}, 0.0, timeout=30)


def test_w9_what_was_in_flight_at_a_drop_is_reported_and_the_channel_rejoined() -> None:
    client, _ = joined_client()
    ref = client.push("run:a", "step:complete", {}, 1.0, timeout=30)
    client.outgoing()
    client.disconnected()
    assert client.happenings() == [
        ChannelLost("run:a", Loss.CONNECTION),
        Unanswered("run:a", ref, Loss.CONNECTION),
    ]
    client.connected(5.0)
    (frame,) = client.outgoing()
    assert decode_text(frame).payload == {"token": "t"}
    client.received(answer(frame), 5.1)
    assert client.happenings() == [Joined("run:a", None)]


@pytest.mark.parametrize(("event", "loss"), [("phx_error", Loss.ERROR), ("phx_close", Loss.CLOSE)])
def test_w16_a_channel_the_platform_closes_is_joined_again(event: str, loss: Loss) -> None:
    client, join_ref = joined_client()
    client.received(push_from_server("run:a", event, join_ref), 1.0)
    assert client.happenings() == [ChannelLost("run:a", loss)]
    client.tick(1.1)
    assert client.outgoing() == []
    client.tick(1.2)
    (frame,) = client.outgoing()
    assert decode_text(frame).event == "phx_join"


def test_channel_that_crashes_at_every_message_is_joined_with_growing_pauses() -> None:
    """Joining is no progress; only its owner can say that the channel does its work."""
    client, join_ref = joined_client()
    now, pauses = 0.0, []
    for attempt in range(5):
        client.received(push_from_server("run:a", "phx_error", join_ref), now)
        deadline = client.next_deadline()
        assert deadline is not None
        pauses.append(deadline - now)
        now = deadline
        client.tick(now)
        (frame,) = (f for f in client.outgoing() if decode_text(f).event == "phx_join")
        join_ref = str(decode_text(frame).join_ref)
        client.received(answer(frame), now)
        if attempt == 3:
            client.progress("run:a")
    assert pauses == pytest.approx([0.2, 2, 5, 10, 0.2])


def test_channel_is_joined_anew_without_waiting_and_its_pushes_are_unanswered() -> None:
    client, join_ref = joined_client()
    ref = client.push("run:a", "run:start", {}, 1.0, timeout=30)
    client.outgoing()
    client.rejoin("run:a", 2.0)
    (frame,) = client.outgoing()
    assert decode_text(frame).event == "phx_join"
    assert client.happenings() == [
        ChannelLost("run:a", Loss.CLOSE), Unanswered("run:a", ref, Loss.CLOSE),
    ]  # fmt: skip
    client.received(push_from_server("run:a", "phx_close", join_ref), 2.1)  # of the old process
    client.received(answer(frame), 2.1)
    assert client.happenings() == [Joined("run:a", None)]


@pytest.mark.parametrize(
    ("code", "loss"),
    [(1009, Loss.FRAME), (1011, Loss.FRAME), (1007, Loss.FRAME), (1000, Loss.CONNECTION),
     (1012, Loss.CONNECTION), (1006, Loss.CONNECTION), (None, Loss.CONNECTION)],
)  # fmt: skip
def test_only_some_close_codes_speak_against_a_frame(code: int | None, loss: Loss) -> None:
    client, _ = joined_client()
    ref = client.push("run:a", "run:log", {}, 1.0, timeout=30)
    client.disconnected(code)
    assert Unanswered("run:a", ref, loss) in client.happenings()


def test_answer_gives_what_waits_behind_it_its_full_time_again() -> None:
    """A channel works its messages one at a time: those behind a slow one have not begun."""
    client, _ = joined_client()
    refs = [client.push("run:a", "run:log", {}, 0.0, timeout=30) for _ in range(3)]
    first, *_ = client.outgoing()
    client.tick(29.0)
    client.received(answer(first), 29.0)
    client.happenings()
    client.tick(31.0)
    assert client.happenings() == []
    client.tick(59.5)
    assert client.happenings() == [Unanswered("run:a", ref, None) for ref in refs[1:]]


def test_an_event_for_a_channel_the_platform_has_dropped_is_not_a_refused_event() -> None:
    client, _ = joined_client()
    refs = [client.push("run:a", "run:log", {}, 1.0, timeout=30) for _ in range(2)]
    frames = client.outgoing()
    for frame in frames:
        client.received(answer(frame, "error", {"reason": "unmatched topic"}), 1.5)
    assert client.happenings() == [
        ChannelLost("run:a", Loss.CLOSE),
        *(Unanswered("run:a", ref, Loss.CLOSE) for ref in refs),
    ]
    client.tick(2.5)
    assert [decode_text(frame).event for frame in client.outgoing()] == ["phx_join"]


def test_a_refused_join_is_tried_again_with_growing_pauses_until_it_is_left() -> None:
    client = Client()
    client.join("run:a", {}, 0.0, timeout=30)
    client.connected(0.0)
    now, pauses = 0.0, []
    for _ in range(4):
        (frame,) = client.outgoing()
        client.received(answer(frame, "error", {"reason": "not_found"}), now)
        assert client.happenings() == [JoinRefused("run:a", {"reason": "not_found"})]
        deadline = min(d for d in (client.next_deadline(), 1e9) if d is not None)
        pauses.append(deadline - now)
        now = deadline
        client.tick(now)
    assert pauses == [1, 2, 5, 10]
    client.leave("run:a")
    client.outgoing()
    client.tick(now + 20)
    assert not [f for f in client.outgoing() if decode_text(f).topic == "run:a"]


def test_a_join_without_answer_times_out_and_is_taken_back() -> None:
    client = Client()
    client.join("run:a", {}, 0.0, timeout=10)
    client.connected(0.0)
    client.outgoing()
    client.tick(10.0)
    assert client.happenings() == [JoinTimedOut("run:a")]
    assert [decode_text(frame).event for frame in client.outgoing()] == ["phx_leave"]
    client.tick(11.0)
    assert [decode_text(frame).event for frame in client.outgoing()] == ["phx_join"]


def test_answers_to_an_earlier_join_are_not_taken_for_the_present_one() -> None:
    client, old = joined_client()
    client.disconnected()
    client.connected(1.0)
    client.outgoing()
    client.happenings()
    client.received(push_from_server("run:a", "phx_close", old), 1.1)
    assert client.happenings() == []


def test_w18_a_silent_peer_is_noticed_within_45_seconds() -> None:
    client, _ = joined_client()
    now = 0.1  # the last sign of life
    while PeerSilent() not in client.happenings():
        deadline = client.next_deadline()
        assert deadline is not None
        now = deadline
        client.tick(now)
    assert now <= 45.0


def test_any_frame_counts_as_a_sign_of_life() -> None:
    """lightning-mock answers no heartbeat at all."""
    client, _ = joined_client()
    client.tick(25.0)
    assert decode_text(client.outgoing()[0]).event == "heartbeat"
    client.received(push_from_server("run:a", "work-available"), 30.0)
    client.tick(41.0)
    assert client.happenings() == [Pushed("run:a", "work-available", {})]


@given(st.lists(st.sampled_from("jJlpaAdcterx"), max_size=80), st.integers(0, 2**16))
def test_every_push_has_exactly_one_ending(script: str, seed: int) -> None:
    """Whatever happens in whatever order: replies, losses and time-outs add up."""
    chance = random.Random(seed)
    client, now = Client(), 0.0
    client.connected(now)
    sent: list[str] = []
    pushed: set[str] = set()
    ended: list[str] = []

    def settle(happened: list[Happening]) -> None:
        for item in happened:
            if isinstance(item, Replied):
                ended.append(item.reply.ref)
            elif isinstance(item, Unanswered):
                ended.append(item.ref)

    for step in [*script, "d"]:
        topic = chance.choice(["run:a", "run:b"])
        if step in "jJ":
            client.join(topic, {}, now, timeout=5)
        elif step == "l":
            client.leave(topic)
        elif step == "p":
            if client.joined(topic):
                pushed.add(client.push(topic, "run:log", {}, now, timeout=3))
        elif step in "aA" and sent and client.up:
            frame = sent.pop(chance.randrange(len(sent)))
            client.received(answer(frame, chance.choice(["ok", "ok", "error"])), now)
            if chance.random() < 0.3:
                client.received(answer(frame), now)  # duplicated
        elif step == "d":
            client.disconnected()
            sent.clear()
        elif step == "c" and not client.up:
            client.connected(now)
        elif step == "t":
            now += chance.choice([0.1, 1, 4, 30])
            client.tick(now)
        elif step in "er" and client.up:
            event = "phx_error" if step == "e" else "phx_close"
            client.received(push_from_server(topic, event), now)
        for frame in client.outgoing():
            assert frame not in sent
            sent.append(frame)
        settle(client.happenings())
    assert sorted(ended) == sorted(pushed)


def test_w19_reconnect_delays_are_capped_and_jittered() -> None:
    backoff = Backoff(0.5, 30)
    longest = [backoff.next(lambda: 0.0) for _ in range(100)]
    assert longest[:4] == [0.5, 1, 2, 4]
    assert max(longest) == 30
    assert backoff.next(lambda: 1.0) == 15
    backoff.reset()
    assert backoff.next(lambda: 0.0) == 0.5
