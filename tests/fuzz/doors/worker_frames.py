"""Frames on the worker socket of a real platform, by a worker that knows the secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from struct import Struct
from typing import Any

from websockets.exceptions import ConnectionClosed

from fuzz.harness import Target
from fuzz.platform import attacked
from fuzz.values import NASTY, ODD, text_of
from support.platform import FETCH, FrameWorker, Served

#: Before each frame of a case: its bytes.
_SIZE = Struct("<I")
#: Stands for the claimed run, and for its token.
RUN, TOKEN = "@run@", "@token@"
AT = "1795424525513089"
STEP = {"step_id": "s-1", "job_id": FETCH, "timestamp": AT}
LINE = {"message": ["a", {"b": [1]}], "source": "JOB", "level": "info", "timestamp": AT, "id": "1"}
EVENTS: tuple[tuple[str, str, Any], ...] = (
    ("worker:queue", "phx_join", {"capacity": 5, "queues": {"manual": 1}}),
    ("worker:queue", "claim", {"demand": 1, "worker_name": "w", "queues": ["*"]}),
    ("worker:queue", "phx_leave", {}),
    ("phoenix", "heartbeat", {}),
    (f"run:{RUN}", "phx_join", {"token": TOKEN}),
    (f"run:{RUN}", "fetch:plan", {}),
    (f"run:{RUN}", "fetch:dataclip", {"id": "d"}),
    (f"run:{RUN}", "fetch:credential", {"id": "c"}),
    (f"run:{RUN}", "run:start", {"timestamp": AT, "versions": {"node": ["24"]}}),
    (f"run:{RUN}", "step:start", {**STEP, "input_dataclip_id": None}),
    (f"run:{RUN}", "step:complete", {
        **STEP, "reason": "success", "duration": 3, "thread_id": 1, "mem": {"job": 1, "system": 2},
        "error_type": None, "error_message": "m", "output_dataclip_id": "o-1",
        "output_dataclip": '{"a":1}', "webhook_response": {"status": 200, "body": {}}}),
    (f"run:{RUN}", "run:log", LINE),
    (f"run:{RUN}", "run:batch_logs", {"logs": [LINE, LINE]}),
    (f"run:{RUN}", "run:complete", {"reason": "fail", "timestamp": AT, "final_state": {"a": 1},
                                    "final_dataclip_id": "o-1", "postmortem": {"timeline": []}}),
    (f"run:{RUN}", "x", None),
)  # fmt: skip


def make(chance: Random) -> bytes:
    """`M` and many frames, each behind its length: so that answers are waited for once."""
    frames = [_frame(chance) for _ in range(chance.choice((1, 10, 60)))]
    return b"M" + b"".join(_SIZE.pack(len(frame)) + frame for frame in frames)


def frames_of(data: bytes) -> list[bytes]:
    """The frames of a case. One that begins otherwise is a frame itself."""
    if data[:1] != b"M":
        return [data]
    found, at = list[bytes](), 1
    while len(head := data[at : at + _SIZE.size]) == _SIZE.size:
        at += _SIZE.size + _SIZE.unpack(head)[0]
        found.append(data[at - _SIZE.unpack(head)[0] : at])
    return found


def _frame(chance: Random) -> bytes:
    """`T` and a text frame, or `B` and a binary one."""
    topic, event, payload = chance.choice(EVENTS)
    topic = topic if chance.random() < 0.95 else chance.choice(("run:x", "run:", "", "a" * 300))
    if chance.random() < 0.02:
        strings = [chance.choice(("1", "", "x" * 255)), "2", topic, event]
        head = bytes([chance.choice((0, 0, 1, 2, 9)), *(min(len(item), 255) for item in strings)])
        return b"B" + head + "".join(strings).encode() + chance.randbytes(chance.choice((0, 50)))
    # what is no JSON ends the connection, and a new one costs as much as fifty frames
    wild = chance.random() < 0.05
    refs = [chance.choice(('"1"', '"2"', "null")) for _ in range(2)]
    if wild:
        refs[chance.randrange(2)] = chance.choice(("1", *NASTY))
    nasty = NASTY if wild else ODD
    body = text_of(payload, chance, wild=chance.choice((0.0, 0.05, 0.2)), nasty=nasty)
    text = f"[{refs[0]},{refs[1]},{json.dumps(topic)},{json.dumps(event)},{body}]"
    return b"T" + text.encode("utf-8", "surrogatepass")


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    with attacked(folder) as (served, complaints):
        attacker = Attacker(served)

        def target(data: bytes) -> int:
            frames = frames_of(data)
            attacker.send(frames)
            complaints.check()
            return len(frames)

        try:
            yield target
        finally:
            attacker.close()


class Attacker:
    """A connection that is opened again when the platform closes it, with a run of its own."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._worker: FrameWorker | None = None
        self._run = {"id": "none", "token": "none"}

    def send(self, frames: list[bytes]) -> None:
        """Send frames, and see that the platform still answers. Some end their connection."""
        while frames:
            frames = frames[self._taken(frames) :]

    def _taken(self, frames: list[bytes]) -> int:
        """Send frames, each with a heartbeat behind it; how many were taken, the last included."""
        worker = self._worker or self._connect()
        answered = 0
        waiting = {"worker:queue", f"run:{self._run['id']}"}
        try:
            for frame in frames:
                content = frame[1:].replace(RUN.encode(), self._run["id"].encode())
                content = content.replace(TOKEN.encode(), self._run["token"].encode())
                binary = frame[:1] == b"B"
                worker.socket.send(content if binary else content.decode("utf-8", "replace"))
                worker.socket.send('[null,"beat","phoenix","heartbeat",{}]')
            # An answer of each channel comes behind what was sent to it before.
            for topic in waiting:
                worker.socket.send(json.dumps([None, f"behind {topic}", topic, "heartbeat", {}]))
            while waiting or answered < len(frames):
                answer = str(worker.socket.recv(timeout=worker.patience))
                answered += answer.startswith('[null,"beat",')
                waiting -= {topic for topic in waiting if f'"behind {topic}"' in answer}
        except ConnectionClosed as closed:
            if closed.rcvd is None or closed.rcvd.code not in (1007, 1009):
                message = f"the platform ended the connection: {closed}"
                raise AssertionError(message) from closed
            answered += self._rest(worker)
            self.close()
            return answered + 1
        return len(frames)

    @staticmethod
    def _rest(worker: FrameWorker) -> int:
        """Heartbeats that were answered before the connection was closed, and not read yet."""
        answered = 0
        while True:
            try:
                answer = str(worker.socket.recv(timeout=worker.patience))
            except ConnectionClosed:
                return answered
            answered += answer.startswith('[null,"beat",')

    def close(self) -> None:
        """Let go of the connection."""
        if self._worker is not None:
            self._worker.socket.close()
            self._worker = None

    def _connect(self) -> FrameWorker:
        worker = self._served.worker("attacker")
        self._worker = worker.__enter__()
        self._worker.join_queue()
        self._served.post()
        runs = self._worker.claim()
        if runs:
            self._run = runs[0]
            self._worker.join_run(runs[0])
        return self._worker
