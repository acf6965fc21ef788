"""Lost runs: the outcome of a run whose shim died, and removal of what the shim left."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.engine.config import EngineConfig
from holdfast.engine.shim.recorder import OpenStep, closing, now_text
from holdfast.journal import (
    Journal,
    JournalError,
    JournalReader,
    RunFolder,
    RunLock,
    is_locked,
)
from holdfast.model.bodies import encode
from holdfast.model.classify import classify
from holdfast.model.evidence import Evidence, Loss, Memory, Place
from holdfast.model.json import Json, JsonObject
from holdfast.model.limits import MEBIBYTE
from holdfast.model.record import USER_CODE_KINDS, Kind
from holdfast.sandbox import cgroups, folders, kernel, processes
from holdfast.sandbox.finder import Groups

_KILL_SECONDS = 5.0


@dataclass(slots=True)
class Known:
    """What a run's journal tells about it."""

    launched: JsonObject | None = None
    ended: bool = False
    user_code: bool = False
    peak: float = 0.0
    place: Place = field(default_factory=Place)
    result: JsonObject | None = None
    error: JsonObject | None = None
    steps: dict[str, tuple[OpenStep, int]] = field(default_factory=dict)


def read_known(journal: Path) -> Known:
    """Read a journal for what an outcome needs. JournalDamaged, OSError as the reader."""
    known = Known()
    with JournalReader(journal) as reader:
        for record in reader.read():
            kind = record.kind
            known.user_code = known.user_code or kind in USER_CODE_KINDS
            if kind == Kind.OUTCOME:
                known.ended = True
            elif kind in _TAKEN:
                _take(known, kind, record.shown(), record.time_us)
    return known


_TAKEN = frozenset(
    {Kind.LAUNCHED, Kind.PHASE, Kind.SAMPLE, Kind.STEP_START, Kind.STEP_COMPLETE, Kind.RESULT}
    | {Kind.RUN_ERROR}
)


def _take(known: Known, kind: int, body: JsonObject, time_us: int) -> None:
    step_id = str(body.get("step_id"))
    if kind == Kind.LAUNCHED:
        known.launched = body
    elif kind == Kind.PHASE:
        step, operation, name = body.get("step"), body.get("operation"), body.get("name")
        known.place = Place(
            str(body.get("phase")),
            None if step is None else str(step),
            operation if isinstance(operation, int) else None,
            None if name is None else str(name),
        )
    elif kind == Kind.SAMPLE:
        used = body.get("memory_mb")
        known.peak = max(known.peak, used if isinstance(used, (int, float)) else 0.0)
    elif kind == Kind.STEP_START:
        known.steps[step_id] = (OpenStep(step_id, str(body.get("job_id")), 0.0), time_us)
    elif kind == Kind.STEP_COMPLETE:
        known.steps.pop(step_id, None)
    elif kind == Kind.RESULT:
        known.result = {key: body.get(key) for key in ("reason", "error_type", "error_message")}
    else:
        known.error = {key: body.get(key) for key in ("severity", "error_type", "error_message")}


def end_lost_run(folder: Path) -> bool:
    """Write the outcome of a run whose shim is gone; False when there is nothing to write.

    Does nothing while a shim holds the run, so it may be called for any folder at any time.
    """
    run = RunFolder(folder)
    if not run.journal.exists():
        return False
    try:
        if not _lost(read_known(run.journal)):
            return False  # not even a look at the lock: a shim may be about to take it
        with RunLock(run.lock):
            known = read_known(run.journal)
            if known.launched is None or not _lost(known):
                return False
            _end(known.launched)
            _write(run, known, known.launched)
            _clear(known.launched)
            run.control_socket.unlink(missing_ok=True)
            return True
    except (JournalError, OSError):
        return False  # a shim lives, or the folder went away; the next sweep looks again


def _lost(known: Known) -> bool:
    """Whether a shim had this run and wrote no outcome: lost, if the shim is gone."""
    return known.launched is not None and not known.ended


def _end(launched: JsonObject) -> None:
    """Make sure that the run's processes are dead."""
    if launched.get("boot") != processes.boot_id():
        return
    group = launched.get("group")
    if isinstance(group, str):
        cgroups.remove_by_name(group)
    alive = [pid for pid, started in _processes(launched) if processes.is_alive(pid, started)]
    processes.kill_family(alive, _KILL_SECONDS)


def _clear(launched: JsonObject) -> None:
    """Take away what the run used. Its outcome is written: nothing here may prevent that."""
    scratch = launched.get("scratch")
    if isinstance(scratch, str) and Path(scratch).parent.name == "scratch":
        _remove(Path(scratch))


def _remove(scratch: Path) -> None:
    with suppress(OSError):  # the next look around tries it again
        folders.remove(scratch)


def _processes(launched: JsonObject) -> list[tuple[int, int | None]]:
    pids, started = launched.get("pids"), launched.get("started")
    if not isinstance(pids, dict) or not isinstance(started, dict):
        return []
    return [
        (pid, _int(started.get(name)) or None)
        for name, pid in pids.items()
        if isinstance(pid, int)
    ]


def _write(run: RunFolder, known: Known, launched: JsonObject) -> None:
    same_boot = launched.get("boot") == processes.boot_id()
    peak = round(known.peak * MEBIBYTE)
    evidence = Evidence(
        loss=Loss.SHIM if same_boot else Loss.HOST,
        memory=Memory(
            limit=_int(launched.get("memory_limit_mb")) * MEBIBYTE,
            peak=peak,
            means=str(launched.get("memory_means")),
        ),
        place=known.place,
        timeout_ms=_int(launched.get("timeout_ms")),
        said_result=known.result,
        said_error=known.error,
        notes={"user_code": known.user_code},
    )
    outcome = classify(evidence)
    now = time.time_ns() // 1000
    with Journal.open(run.journal) as journal:
        for step, began in known.steps.values():
            took = max(0, now - began) // 1000
            body = closing(step, outcome, took, peak, steps=len(known.steps))
            journal.append(Kind.STEP_COMPLETE, encode(body), essential=True)
        journal.append(Kind.OUTCOME, encode(outcome.body(now_text())), essential=True)
        journal.flush()


def remove_leftovers(config: EngineConfig, groups: Groups) -> None:
    """Take away groups and scratch folders whose makers are gone."""
    groups.sweep()
    for folder in (config.data / "scratch").glob("*"):
        maker = folder.name.rpartition("-")[2]
        if maker.isdigit() and processes.start_time(int(maker)) is None:
            _remove(folder)


def end_lost_runs(config: EngineConfig, groups: Groups) -> None:
    """After a start: end every run that has no shim any more.

    Shims that outlived an earlier supervisor are not children of this one, so this waits for each
    of them and ends its run if it has left no outcome. To be called in a process of its own.
    """
    kernel.die_with_parent(signal.SIGKILL)
    remove_leftovers(config, groups)
    survivors: dict[int, Path] = {}
    for folder in config.journals.iterdir() if config.journals.is_dir() else ():
        if not end_lost_run(folder):
            handle = _survivor(RunFolder(folder))
            if handle is not None:
                survivors[handle] = folder
    _wait_for(survivors)


def _survivor(run: RunFolder) -> int | None:
    """A handle of the live shim that holds this run; None when there is none."""
    if not run.lock.exists() or not is_locked(run.lock):
        return None
    with suppress(JournalError, OSError):
        launched = read_known(run.journal).launched or {}
        pid, started = _int(launched.get("shim")), _int(launched.get("shim_started"))
        if pid and processes.is_alive(pid, started):
            return os.pidfd_open(pid)
    return None


def _wait_for(survivors: dict[int, Path]) -> None:
    waiting = select.poll()
    for handle in survivors:
        waiting.register(handle, select.POLLIN)
    while survivors:
        for handle, _ in waiting.poll():
            waiting.unregister(handle)
            os.close(handle)
            end_lost_run(survivors.pop(handle))


def _int(value: Json) -> int:
    return value if isinstance(value, int) else 0
