"""What the compiler made of a step's text, kept for later runs of the same step.

An entry is named by a digest over the text, all else that the compiler looks at, the compiler
itself, the step's id and its project: so it serves no other project. It holds what the compiler's
process has sent, never anything that came from a run's engine, and begins with a digest over the
rest: what a disk has damaged is compiled again. Standard library only, but for reading plans.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import holdfast
from holdfast.engine.config import EngineConfig
from holdfast.engine.frames import Decoder, FrameError, FromRun, ToRun, encode
from holdfast.engine.run.plan_text import PlanError, PlanReader
from holdfast.engine.shim.recorder import log_line, now_text
from holdfast.model.json import Json, JsonObject
from holdfast.model.record import Kind

#: Plans above this go to the compiler: a shim is to read nothing large.
_LARGEST_PLAN = 256 * 1024
#: No entry is larger, in bytes.
_LARGEST = 1024 * 1024
#: All entries together: the least recently used go first.
_ENTRIES, _BYTES = 4000, 64 * 1024 * 1024
#: An entry that no run has used for so long is removed.
_AGE_SECONDS = 7 * 24 * 3600.0
#: How often a use is noted, at most.
_NOTED_SECONDS = 3600.0
_DIGEST = 32
_COMPILED = b"Compiled "

Frame = tuple[int, bytes]


def folder(config: EngineConfig) -> Path:
    """Where entries lie."""
    return config.data / "compiled"


@cache
def compiler_digest() -> str:
    """Changes with each change of the compiler; read once by the process all shims come from."""
    whole = hashlib.sha256(holdfast.__version__.encode())
    package = Path(holdfast.__file__).parent
    for path in sorted((*package.glob("compiler/*.py"), *package.glob("engine/run/*.py"))):
        whole.update(path.read_bytes())
    return whole.hexdigest()


@dataclass(slots=True)
class _Step:
    name: str  # of the entry
    label: str
    step_id: str | None
    frames: list[Frame] = field(default_factory=list)


class Compiled:
    """The compiled steps of one plan: `known` where all of them are there, else to be `learnt`."""

    def __init__(self, config: EngineConfig, plan: JsonObject, steps: dict[int, _Step]) -> None:
        self._folder = folder(config)
        self._plan = plan
        self._steps = steps
        self._learning: _Step | None = None
        self._bytes = 0

    @classmethod
    def of(cls, config: EngineConfig, path: Path, options: JsonObject) -> Compiled | None:
        """None where a plan is too large, cannot be read, or is not to be compiled."""
        if options.get("compile") is False:
            return None
        try:
            if path.stat().st_size > _LARGEST_PLAN:
                return None
            reader = PlanReader()
            reader.feed(path.read_bytes())
            plan, expressions = reader.finish()
        except (OSError, PlanError):
            return None  # the compiler says what is wrong with it
        workflow = plan.get("workflow")
        listed = workflow.get("steps") if isinstance(workflow, dict) else None
        found = listed if isinstance(listed, list) else []
        steps: dict[int, _Step] = {}
        for index, text in sorted(expressions.items()):
            step = found[index]
            if not isinstance(step, dict):
                return None
            name = _name(options, index, step, text.text)
            step_id = step.get("id")
            label = str(step.get("name") or step_id or "step")
            steps[index] = _Step(name, label, step_id if isinstance(step_id, str) else None)
        return cls(config, plan, steps)

    @property
    def digest(self) -> str:
        """Names this code, of this project."""
        return hashlib.sha256(
            "".join(step.name for step in self._steps.values()).encode()
        ).hexdigest()

    def known(self) -> list[Frame] | None:
        """What the compiler would send for this plan; None where a step of it is not known."""
        frames: list[Frame] = []
        for step in self._steps.values():
            began = time.monotonic()
            kept = self._read(step.name)
            if kept is None:
                return None
            frames += kept
            took = f"{round((time.monotonic() - began) * 1000)}ms"
            line = {**log_line("info", f"Compiled {step.label} in {took}"), "source": "CMP"}
            frames.append((Kind.LOG, json.dumps(line).encode()))
        frames.append((ToRun.PLAN, json.dumps(self._plan).encode()))
        frames.append((FromRun.COMPILED, b""))
        return frames

    def learn(self, kind: int, body: bytes) -> None:
        """Take note of a frame that the compiler has sent."""
        if kind == Kind.PHASE:
            waiting = [step for step in self._steps.values() if not step.frames]
            self._learning = waiting[0] if waiting else None
        self._bytes += len(body)
        if self._learning is not None and self._bytes <= _LARGEST and kind != ToRun.PLAN:
            self._learning.frames.append((kind, body))

    def keep(self) -> None:
        """Write what has been learnt, after a compilation that came to its end."""
        if self._bytes > _LARGEST:
            return
        with suppress(OSError):  # it is compiled again
            self._folder.mkdir(mode=0o700, exist_ok=True)
            for step in self._steps.values():
                if step.frames:
                    self._write(step)

    def _write(self, step: _Step) -> None:
        *frames, last = [frame for frame in step.frames if frame[0] != FromRun.COMPILED]
        if last[0] != Kind.LOG or _COMPILED not in last[1]:
            return
        content = b"".join(encode(kind, body) for kind, body in frames)
        path = self._folder / step.name
        temporary = Path(f"{path}.{os.getpid()}")
        temporary.write_bytes(hashlib.sha256(content).digest() + content)
        temporary.rename(path)

    def _read(self, name: str) -> list[Frame] | None:
        path = self._folder / name
        try:
            data = path.read_bytes()
            if time.time() - path.stat().st_mtime > _NOTED_SECONDS:
                os.utime(path)
        except OSError:
            return None
        content = data[_DIGEST:]
        if hashlib.sha256(content).digest() != data[:_DIGEST]:
            path.unlink(missing_ok=True)
            return None
        try:
            return [_current(kind, body) for kind, body in Decoder().feed(content)]
        except FrameError:
            return None


def prune(config: EngineConfig) -> None:
    """Remove entries that nobody uses, and the oldest where there are too many."""
    now, count, size = time.time(), 0, 0
    for modified, bytes_, path in sorted(_entries(config), reverse=True):
        count, size = count + 1, size + bytes_
        if count > _ENTRIES or size > _BYTES or now - modified > _AGE_SECONDS:
            with suppress(OSError):
                path.unlink()


def _entries(config: EngineConfig) -> Iterator[tuple[float, int, Path]]:
    with suppress(OSError), os.scandir(folder(config)) as entries:
        for entry in entries:
            with suppress(OSError):
                seen = entry.stat()
                yield seen.st_mtime, seen.st_size, Path(entry.path)


def _name(options: JsonObject, index: int, step: JsonObject, text: str) -> str:
    adaptors = options.get("adaptors")
    known = adaptors if isinstance(adaptors, dict) else {}
    wanted = step.get("adaptors")
    used: JsonObject = {
        name: known.get(name)
        for name in (wanted if isinstance(wanted, list) else [])
        if isinstance(name, str)
    }
    looked_at: list[Json] = [
        compiler_digest(), options.get("project_id"), index, step.get("id"), step.get("name"),
        wanted, used,
    ]  # fmt: skip
    whole = hashlib.sha256(json.dumps(looked_at, sort_keys=True).encode())
    whole.update(b"\0" + text.encode("latin-1"))
    return whole.hexdigest()


def _current(kind: int, body: bytes) -> Frame:
    """A log line is said anew: its time is that of this run."""
    if kind != Kind.LOG:
        return kind, body
    return kind, json.dumps({**json.loads(body), "timestamp": now_text()}).encode()
