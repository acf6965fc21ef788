"""The platform's end of a socket is a Phoenix server (`docs/spec/worker-protocol.md` 1.2)."""

from __future__ import annotations

from holdfast.protocol.frames import Message
from holdfast.protocol.server import Connection, Event, Heartbeat, Join, Left, Send, reply


def frame(event: str, topic: str = "worker:queue", join_ref: str | None = "1", ref: str = "1",
          payload: object = None) -> Message:  # fmt: skip
    return Message(join_ref, ref, topic, event, {} if payload is None else payload)  # type: ignore[arg-type] # tests send anything


def joined(topic: str = "worker:queue", ref: str = "1") -> tuple[Connection, Join]:
    connection = Connection()
    (join,) = connection.receive(frame("phx_join", topic, ref, ref))
    assert isinstance(join, Join)
    return connection, join


def test_a_heartbeat_is_answered() -> None:
    beat = Message(None, "40", "phoenix", "heartbeat", {})
    first, second = Connection().receive(beat)
    assert first == Send(
        Message(None, "40", "phoenix", "phx_reply", {"status": "ok", "response": {}})
    )
    assert second == Heartbeat()


def test_a_join_is_asked_and_its_answer_echoes_the_refs() -> None:
    connection, join = joined(ref="6")
    answer = connection.accept(join, {"a": 1})
    assert (answer.join_ref, answer.ref, answer.event) == ("6", "6", "phx_reply")
    assert answer.payload == {"status": "ok", "response": {"a": 1}}


def test_a_join_without_join_ref_is_known_by_its_ref() -> None:
    connection = Connection()
    connection.receive(frame("phx_join", join_ref=None, ref="9"))
    push = connection.push("worker:queue", "work-available", {})
    assert push is not None
    assert (push.join_ref, push.ref) == ("9", None)


def test_a_refused_channel_is_not_joined() -> None:
    connection, join = joined("run:1")
    answer = connection.refuse(join, "unauthorized")
    assert answer.payload == {"status": "error", "response": {"reason": "unauthorized"}}
    (action,) = connection.receive(frame("fetch:plan", "run:1"))
    assert isinstance(action, Send)
    assert connection.push("run:1", "x", {}) is None


def test_a_topic_that_was_never_joined_is_unmatched() -> None:
    (action,) = Connection().receive(frame("claim", ref="7"))
    assert isinstance(action, Send)
    assert action.message.ref == "7"
    assert action.message.payload == {
        "status": "error",
        "response": {"reason": "unmatched topic"},
    }


def test_an_event_on_a_joined_channel_is_handed_on() -> None:
    connection, _ = joined()
    message = frame("claim", ref="8")
    assert connection.receive(message) == [Event(message)]


def test_a_leave_is_answered_and_closed() -> None:
    connection, _ = joined()
    answer, close, left = connection.receive(frame("phx_leave", ref="9"))
    assert isinstance(answer, Send)
    assert answer.message.payload == {"status": "ok", "response": {}}
    assert close == Send(Message("1", "1", "worker:queue", "phx_close", {}))
    assert left == Left("worker:queue", "1")


def test_a_second_join_displaces_the_first() -> None:
    connection, _ = joined(ref="1")
    close, left, join = connection.receive(frame("phx_join", join_ref="5", ref="5"))
    assert close == Send(Message("1", "1", "worker:queue", "phx_close", {}))
    assert left == Left("worker:queue", "1")
    assert isinstance(join, Join)


def test_leaving_a_displaced_join_keeps_the_new_one() -> None:
    """The stock worker joins, leaves and joins its queue in one burst on reconnect (1.4)."""
    connection, _ = joined(ref="1")
    connection.receive(frame("phx_join", join_ref="5", ref="5"))
    assert len(connection.receive(frame("phx_leave", join_ref="1", ref="6"))) == 1
    push = connection.push("worker:queue", "work-available", {})
    assert push is not None
    assert push.join_ref == "5"


def test_refusing_a_displaced_join_keeps_the_new_one() -> None:
    connection, first = joined("run:1", ref="1")
    connection.receive(frame("phx_join", "run:1", "5", "5"))
    connection.refuse(first, "unauthorized")
    assert connection.push("run:1", "x", {}) is not None


def test_a_crashed_channel_says_so_and_is_gone() -> None:
    connection, _ = joined("run:1", ref="3")
    message = connection.crash("run:1")
    assert message == Message("3", "3", "run:1", "phx_error", {})
    assert connection.crash("run:1") is None


def test_a_reply_keeps_the_join_ref_it_came_with() -> None:
    answer = reply(frame("claim", join_ref="2", ref="4"), "ok", None)
    assert (answer.join_ref, answer.ref) == ("2", "4")
