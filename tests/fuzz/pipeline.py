"""The way of what a run sends: shim, journal, agent, frame, platform. All but the processes."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from holdfast import log
from holdfast.cli.journal import problems, summary
from holdfast.engine import postmortem
from holdfast.engine.frames import Decoder, FrameError
from holdfast.engine.requests import requests_of
from holdfast.engine.shim.explainer import Explainer
from holdfast.engine.shim.recorder import DocumentsTooLarge, ProtocolViolation, Recorder
from holdfast.engine.supervisor import lost_runs
from holdfast.journal import DeliveryState, Journal, JournalFull, JournalReader, RunFolder
from holdfast.model.bodies import SHAPES
from holdfast.model.classify import classify
from holdfast.model.evidence import Evidence, Stop
from holdfast.model.json import parse_fit
from holdfast.model.record import Kind
from holdfast.protocol.client import Loss
from holdfast.protocol.frames import Message, Payload, Reply, encode_text
from holdfast.protocol.messages import Extension, InvalidPayload, run_topic
from holdfast.testing import idempotent
from holdfast.testing.lightning import RunChannel
from holdfast.testing.profile import CURRENT
from holdfast.testing.twin_run import Crash, Refusal, TwinRun
from holdfast.worker.config import WorkerConfig
from holdfast.worker.connection import AnswerLost, Channel, Connection, Then
from holdfast.worker.outbox.deliverer import Deliverer
from holdfast.worker.outbox.scrubbing import Scrubbing

BUDGET = 2 * 1024 * 1024
CONFIG = WorkerConfig.from_environment({"WORKER_SECRET": "fuzz", "WORKER_BATCH_LOGS": "true"})
OFFER = Extension(window=8, batch_logs=True, idempotent=True, postmortem=True, spans=True)
_names = itertools.count()


@contextmanager
def road(folder: Path) -> Iterator[Road]:
    """A way for runs whose folders lie in this one. What the worker would log is not shown."""
    with patch.object(log, "_write", _heard):
        yield Road(folder)


class Road:
    """One run after another, each through the whole way."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.records = 0

    def drive(self, sender: str, pieces: Iterable[bytes], *, strict: bool) -> None:
        """What a run's process sent, in pieces, to a strict Lightning or to our own platform.

        Raises when any part of the way does.
        """
        name = f"run-{next(_names)}"
        folder = RunFolder.create(self._folder, name)
        try:
            self._shim(folder, sender, pieces)
            self._readers(folder)
            asyncio.run(asyncio.wait_for(self._agent(folder, name, strict=strict), 50))
        finally:
            shutil.rmtree(folder.path)

    def _shim(self, folder: RunFolder, sender: str, pieces: Iterable[bytes]) -> None:
        folder.plan.write_text("{}")
        folder.input.write_text("{}")
        journal = Journal.create(folder.journal, max_bytes=BUDGET)
        recorder = Recorder(journal, folder.path, BUDGET)
        explainer = Explainer(recorder)
        recorder.append(Kind.CLAIMED, {"run_id": folder.path.name})
        recorder.append(Kind.RUN_START, {"timestamp": "1795424525513089", "versions": {}})
        decoder, stop = Decoder(), None
        try:
            for piece in pieces:
                for kind, body in decoder.feed(piece):
                    self.records += 1
                    recorder.frame(sender, kind, body)
                journal.flush(sync=False)
        except (ProtocolViolation, FrameError):
            stop = Stop.PROTOCOL
        except (DocumentsTooLarge, JournalFull):
            stop = Stop.JOURNAL
        evidence = Evidence(
            stop=stop,
            exit_code=0,
            process=sender,
            place=recorder.place,
            said_result=recorder.result,
            said_error=recorder.error,
        )
        outcome = classify(evidence)
        recorder.abandon_streams()
        last = recorder.closing_records(outcome, 1)
        last += explainer.last_words(outcome, [("10.0.0.1:80", "public: private range")])
        assert recorder.write_end(last)
        journal.close()

    def _readers(self, folder: RunFolder) -> None:
        """Everything that reads a journal reads this one, and finds nothing wrong with it."""
        with JournalReader(folder.journal) as reader:
            for record in reader.read():
                body = parse_fit(
                    record.body.decode("utf-8", "surrogatepass").encode("utf-8", "replace")
                )
                shape = SHAPES[record.kind]
                assert (problem := shape.problem(body)) is None, f"{shape.name} {problem}"
            assert reader.tail_bytes == 0
        assert lost_runs.read_known(folder.journal).ended
        assert problems(folder.path) == []
        assert summary("open", folder.path).outcome
        with JournalReader(folder.journal) as reader:
            assert postmortem.text(postmortem.build(reader.read()))
        with JournalReader(folder.journal) as reader:
            assert all(request.row for request in requests_of(reader.read()).known.values())

    async def _agent(self, folder: RunFolder, run_id: str, *, strict: bool) -> None:
        run = TwinRun(run_id, {"jobs": [{"id": "j"}]}, b"", {})
        run.state = "claimed"
        channel = FakeChannel(run, strict=strict)
        deliverer = Deliverer(CONFIG, folder, run_id, channel, Scrubbing(), durable=None)
        assert await deliverer.deliver() is DeliveryState.COMPLETE
        assert run.final


class FakeChannel(Channel):
    """A platform's channel without a socket: a strict Lightning's, or Holdfast's own."""

    def __init__(self, run: TwinRun, *, strict: bool) -> None:
        super().__init__(run_topic(run.id), Connection("ws://nowhere", lambda: ""))
        self._run = run
        self._strict = strict
        self._refs = itertools.count(1)
        self.response = {} if strict else OFFER.to_payload()
        self.rejoin()

    @property
    def joined(self) -> bool:
        return True

    def rejoin(self) -> None:
        """A new process of the platform answers."""
        self.joins += 1
        self._dead = False
        own = partial(idempotent.handle, self._run)
        self._handle = RunChannel(self._run, CURRENT).handle if self._strict else own

    def push(self, event: str, payload: Payload, then: Then, *, timeout: float) -> str:
        """As `Channel.push`. What is sent behind a crash is lost with it."""
        ref = str(next(self._refs))
        text = encode_text(Message("1", ref, self.topic, event, payload))
        frame = cast("list[Any]", json.loads(text.encode().decode(), parse_constant=_none))
        assert len(frame) == 5
        assert len(text) < CONFIG.frame_bytes
        loop = asyncio.get_running_loop()
        answer = AnswerLost(Loss.ERROR) if self._dead else self._answer(event, ref, frame[4])
        loop.call_soon(then, answer)
        if isinstance(answer, AnswerLost) and not self._dead:
            self._dead = True
            loop.call_soon(self.rejoin)
        return ref

    def _answer(self, event: str, ref: str, payload: Any) -> Reply | AnswerLost:
        try:
            return Reply(ref, "ok", self._handle(event, payload))
        except Refusal as refusal:
            return Reply(ref, "error", refusal.args[0])
        except InvalidPayload as invalid:
            return Reply(ref, "error", invalid.response)
        except (Crash, json.JSONDecodeError):
            return AnswerLost(Loss.ERROR)


def _heard(_level: str, event: str, context: dict[str, object]) -> None:
    assert event != "run.not_explained", context


def _none(constant: str) -> None:
    raise AssertionError(constant)
