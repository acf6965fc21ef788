"""Gathering the evidence of one run's end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from holdfast.engine.shim import hot
from holdfast.engine.shim.processes import Process
from holdfast.engine.shim.recorder import Recorder
from holdfast.engine.shim.walls import heap_limit
from holdfast.model.evidence import Evidence, Memory, Stop
from holdfast.model.json import JsonObject
from holdfast.model.limits import MEBIBYTE, Limits
from holdfast.sandbox.groups import Group

#: A line of V8's report of its last collections: `Mark-Compact 410.1 (421.3) -> 408.9 (422.5) MB`.
_COLLECTED = re.compile(r"-> ([0-9]{1,9}(?:\.[0-9]+)?) \([0-9.]+\) MB")
#: Paths in frames of V8's native stack: left out, because they are those of this machine.
_NATIVE_PATH = re.compile(r"\[/[^][\n]*/([^][/\n]+)\]")
_EVIDENT_TAIL = 4096


def gather(
    recorder: Recorder,
    group: Group,
    limits: Limits,
    run: tuple[Process, Process],
    *,
    compiled: bool,
    spent_ms: int = 0,
    stop: tuple[Stop | None, str | None],
    started: float,
    layers: tuple[str, ...],
    clean: Callable[[str], str],
) -> Evidence:
    """All facts about the end of a run whose processes are gone.

    `run` is compiler and engine, `spent_ms` the processor time of others, `stop` why the shim
    ended them and in which circumstances, `started` the monotonic second in which the clock
    began, `clean` what takes the secrets out of a text: libraries write to standard error
    whatever they like.
    """
    compiler, engine = run
    # The compiler explains the end when it did not do its work, unless the engine died first.
    failed_early = not compiled and compiler.pid != 0 and not _died_alone(engine, compiler)
    process = compiler if failed_early else engine
    said = process.error.text() if process.pid else ""
    if stop[0] is Stop.TIMEOUT:  # only then Node.js was asked for its stack
        said = hot.without_stack(said)
    tail = _NATIVE_PATH.sub(r"[\1]", clean(said))[-_EVIDENT_TAIL:] if said else ""
    end = process.end
    return Evidence(
        stop=stop[0],
        stop_detail=stop[1],
        process=process.name if process.pid else None,
        exit_code=end.code if end else None,
        signal=end.signal if end else None,
        ready=engine.ready if engine.pid else None,
        memory=_memory(group, limits, tail),
        place=recorder.place,
        timeout_ms=round(limits.timeout_seconds * 1000),
        duration_ms=round((time.monotonic() - started) * 1000),
        cpu_ms=spent_ms + sum(item.cpu_ms() for item in run),
        said_result=recorder.result,
        said_error=recorder.error,
        stderr_tail=tail,
        layers=layers,
        notes=_notes(recorder),
    )


def _memory(group: Group, limits: Limits, tail: str) -> Memory:
    """What the kernel counted, and what V8 said of its heap at the end of standard error."""
    heaps = [float(size) for size in _COLLECTED.findall(tail)]
    return Memory(
        limit=limits.memory_bytes,
        peak=group.peak(),
        means=group.means,
        oom_kills=group.oom_kills(),
        heap_limit=heap_limit(limits) * MEBIBYTE,
        heap=round(heaps[-1] * MEBIBYTE) if heaps else 0,
    )


def _notes(recorder: Recorder) -> JsonObject:
    notes: JsonObject = {}
    if recorder.late_frames:
        notes["late_frames"] = recorder.late_frames
    largest = recorder.largest()
    if largest is not None:
        notes["largest"] = largest
    embedded = recorder.embedded()
    if embedded is not None:
        notes["embedded"] = embedded
    return notes


def _died_alone(engine: Process, compiler: Process) -> bool:
    """Whether the engine's end came first: the shim only kills what is left with SIGKILL."""
    if engine.end is None or compiler.end is None:
        return False
    return compiler.end.signal == "SIGKILL" and engine.end.signal != "SIGKILL"
