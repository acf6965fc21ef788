"""A process for each step of a run, one after the other.

The run's first engine, the conductor, goes through the plan. It gets no credentials and runs no
code of the author. For each step it asks the shim for a process, which gets the credential of that
step alone (`docs/engine.md`, "A process for each step").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import NotRequired, TypedDict, cast

from holdfast.engine.frames import FromRun, ToRun
from holdfast.engine.loop import Loop
from holdfast.engine.request import RunRequest
from holdfast.engine.shim.egress import Egress
from holdfast.engine.shim.launch import RunProcess
from holdfast.engine.shim.processes import Process
from holdfast.engine.shim.recorder import ProtocolViolation, Recorder
from holdfast.model.bodies import Ending, Message, Names, Word
from holdfast.model.json import Json, Unfit, parse_fit
from holdfast.model.scrubber import Scrubber
from holdfast.model.shape import shape_of

#: What the conductor may have passed on to a step's process.
_PASSED = frozenset({ToRun.PLAN, ToRun.MODULE, ToRun.INPUT, ToRun.GO})


class _Fault(TypedDict):
    """What a step failed with."""

    name: Word
    severity: Ending
    message: Message


class _Visited(TypedDict):
    """LEFT: what a step has left. `document`: whether its text follows."""

    next: Names
    clip: NotRequired[Word]
    document: bool
    fault: NotRequired[_Fault]


class _Visit(TypedDict):
    """ASK: the step that is to be executed."""

    step: Word
    input_dataclip_id: NotRequired[Word]


_VISITED, _VISIT = shape_of(_Visited), shape_of(_Visit)


class StepProcesses:
    """The processes of one run's steps. `options`: body of their OPTIONS frame."""

    def __init__(
        self,
        loop: Loop,
        run: RunProcess,
        recorder: Recorder,
        request: RunRequest,
        *,
        options: Callable[[], bytes],
        egress: Callable[[], Egress],
    ) -> None:
        self.current: Process | None = None
        self.cpu_ms = 0  # of those that have ended
        self._loop, self._run, self._recorder = loop, run, recorder
        self._request, self._options, self._new_egress = request, options, egress
        self._egress: Egress | None = None
        self._left = False  # the current one has said what it leaves
        self._secrets: list[Json] = list(request.credentials.values())
        self._learn()

    def frame(self, sender: str, kind: int, body: bytes) -> bool:
        """Take a frame that is about these processes; False for any other.

        Raises ProtocolViolation, and OSError when a process cannot be started.
        """
        if sender == "engine" and kind == FromRun.ASK:
            self._start(body)
        elif sender == "engine" and kind == FromRun.PASS:
            self._pass(body)
        elif sender == "engine" and kind == FromRun.SECRETS and self.current is None:
            self._secrets += cast("list[Json]", _fit(body))
            self._learn()
        elif sender == "step" and kind == FromRun.LEFT and not self._left:
            _checked(body, _VISITED.problem)
            self._left = True
            self._to_conductor(ToRun.VISITED, body)
        elif sender == "step" and kind == FromRun.HANDED and self._left:
            self._to_conductor(ToRun.INPUT, body)
        else:
            return False
        return True

    def ended(self, process: Process) -> bool:
        """Whether this one has done its step; then the conductor goes on."""
        if process is not self.current or not self._left or self._recorder.said_end:
            return False
        if process.end is None or process.end.code != 0:
            return False
        self.stop()
        self._recorder.forget_process()
        self.current = None
        self.cpu_ms += process.cpu_ms()
        self._run.engine.outlet.send(ToRun.GO)
        return True

    def stop(self) -> None:
        """No further connections of the current one."""
        egress, self._egress = self._egress, None
        if egress is not None:
            egress.stop()

    def _learn(self) -> None:
        self._recorder.scrubber = Scrubber(self._secrets)

    def _start(self, body: bytes) -> None:
        asked = _checked(body, _VISIT.problem)
        if self.current is not None:
            message = "a step was begun before the one before it had ended"
            raise ProtocolViolation(message)
        step = str(asked["step"])
        self._recorder.only_job = step
        process = self._run.start_step()
        self.current, self._left = process, False
        process.outlet.on_low = self._run.engine.inlet.resume
        self._run.engine.outlet.on_low = process.inlet.resume
        if (broker := process.take_broker()) is not None:
            self._egress = self._new_egress()
            self._egress.start(broker, process.pidfd)
        own = {key: self._request.credentials[key] for key in self._own(step)}
        process.outlet.send(ToRun.OPTIONS, self._options())
        process.outlet.send(ToRun.CREDENTIALS, json.dumps(own).encode())
        self._recorder.asked.next_process()
        visit = {**asked, "requests": self._recorder.asked.number}
        process.outlet.send(ToRun.VISIT, json.dumps(visit).encode())

    def _own(self, step: str) -> Iterable[str]:
        return [step] if step in self._request.credentials else []

    def _pass(self, body: bytes) -> None:
        if self.current is None or not body or body[0] not in _PASSED:
            message = "the engine passed on what no step can take"
            raise ProtocolViolation(message)
        self.current.outlet.send(body[0], body[1:])
        if self.current.outlet.full:
            self._run.engine.inlet.pause()

    def _to_conductor(self, kind: int, body: bytes) -> None:
        conductor = self._run.engine
        conductor.outlet.send(kind, body)
        if conductor.outlet.full and self.current is not None:
            self.current.inlet.pause()


def _fit(body: bytes) -> Json:
    try:
        return parse_fit(body)
    except Unfit as error:
        message = f"a frame between the processes of a run: {error}"
        raise ProtocolViolation(message) from error


def _checked(body: bytes, problem: Callable[[object], str | None]) -> dict[str, Json]:
    value = _fit(body)
    if (found := problem(value)) is not None:
        message = f"a frame between the processes of a run {found}"
        raise ProtocolViolation(message)
    return cast("dict[str, Json]", value)
