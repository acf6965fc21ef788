"""The compiler as a process of a run: frames in, frames out (`docs/engine-protocol.md`).

It lives inside the sandbox, works once, and ends. Large texts go through it in pieces: beside the
sources themselves it holds next to nothing.
"""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping

from holdfast.compiler import AdaptorExports, CompiledJob, CompileError, Source, compile_job
from holdfast.engine.frames import CHUNK, Decoder, FromRun, ToRun, encode
from holdfast.engine.run.plan_text import PlanError, PlanReader
from holdfast.model import bodies
from holdfast.model.bodies import WORD
from holdfast.model.json import Json, JsonObject
from holdfast.model.record import Kind

_READ = 256 * 1024
_MAX_WORDS = 4000


class Channel:
    """Frames to the shim. Whoever reads them may be gone: then there is nothing left to do."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, kind: int, body: bytes = b"") -> None:
        """Send one frame. Raises SystemExit when nobody listens any more."""
        view = memoryview(encode(kind, body))
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except BrokenPipeError:
            raise SystemExit(1) from None

    def record(self, kind: int, body: Mapping[str, object]) -> None:
        """Send a journal record."""
        self.send(kind, bodies.encode(body))

    def log(self, source: str, level: bodies.Level, text: str) -> None:
        """Send a log line."""
        line: bodies.Log = {
            "source": source,
            "level": level,
            "message": [text],
            "timestamp": _now(),
        }
        self.record(Kind.LOG, line)

    def stream(self, kind: int, head: bytes, pieces: Iterable[bytes]) -> None:
        """Send `head` and the pieces as frames of bounded size."""
        for body in _grouped(head, pieces):
            self.send(kind, body)


def main(incoming: int = 0, outgoing: int = 3) -> None:
    """Read one plan, compile its steps, send them on. Returns when that is done or has failed."""
    gc.disable()  # the process ends with its work; trees are dropped as a whole
    channel = Channel(outgoing)
    try:
        options, plan, expressions = _receive(incoming)
    except PlanError as error:
        refused: bodies.RunError = {
            "timestamp": _now(),
            "error_type": "ValidationError",
            "error_message": error.message,
            "severity": "crash",
        }
        channel.record(Kind.RUN_ERROR, refused)
        return
    if plan is None or options is None:
        return  # closed before there was a run: a standby process that is not wanted any more
    steps = _steps(plan)
    for index in sorted(expressions):
        step = steps[index]
        text = expressions.pop(index)
        if options.get("compile") is False:
            _send_as_it_is(channel, index, step, text)
            continue
        try:
            _compile_step(channel, options, index, step, text)
        except CompileError as error:
            _send_error(channel, step, error)
            return
    channel.stream(ToRun.PLAN, b"", [json.dumps(plan).encode()])
    channel.send(FromRun.COMPILED)


def _receive(
    incoming: int,
) -> tuple[JsonObject | None, JsonObject | None, dict[int, Source]]:
    """Options, plan, expressions; nothing when the pipe closes before GO. Raises PlanError."""
    decoder, reader = Decoder(), PlanReader()
    options: JsonObject = {}
    while data := os.read(incoming, _READ):
        for kind, body in decoder.feed(data):
            if kind == ToRun.OPTIONS:
                options = json.loads(body)
            elif kind == ToRun.PLAN:
                reader.feed(body)
            elif kind == ToRun.GO:
                plan, expressions = reader.finish()
                return options, plan, expressions
    return None, None, {}


def _steps(plan: JsonObject) -> list[JsonObject]:
    workflow = plan.get("workflow")
    steps = workflow.get("steps") if isinstance(workflow, dict) else None
    return [item if isinstance(item, dict) else {} for item in steps or []]  # type: ignore[union-attr]


def _compile_step(
    channel: Channel, options: JsonObject, index: int, step: JsonObject, text: Source
) -> None:
    label = _label(step)
    phase: bodies.Phase = {"phase": "compile", "step": _word(step, "id"), "name": label}
    channel.record(Kind.PHASE, phase)
    started, used = time.monotonic(), time.process_time()
    job = compile_job(text, _adaptors(step, options), name=label)
    job = job.measured(round(time.process_time() - used, 4), peak_mb())
    for body in module_frames(index, step, job):
        channel.send(ToRun.MODULE, body)
    channel.record(Kind.REPORT, {"step": _word(step, "id"), **job.report.to_json()})
    for line in (*job.report.warnings, *job.report.advice()):
        channel.log("CMP", "warn", line)
    channel.log("CMP", "info", f"Compiled {label} in {_duration(time.monotonic() - started)}")


def _adaptors(step: JsonObject, options: JsonObject) -> list[AdaptorExports]:
    """The step's adaptors with their known exports (`docs/spec/compiler.md` section 11)."""
    known = options.get("adaptors")
    wanted = step.get("adaptors")
    out = []
    for specifier in wanted if isinstance(wanted, list) else []:
        if not isinstance(specifier, str) or not specifier:
            continue
        entry = known.get(specifier) if isinstance(known, dict) else None
        given = entry if isinstance(entry, dict) else {}
        name = str(given.get("name") or _bare_name(specifier))
        exports, operations = (_texts(given.get(key)) for key in ("exports", "operations"))
        out.append(AdaptorExports(name, exports, operations=operations))
    return out


def _texts(value: Json) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _bare_name(specifier: str) -> str:
    at = specifier.find("@", 1)
    return specifier if at < 0 else specifier[:at]


def module_frames(index: int, step: JsonObject, job: CompiledJob) -> Iterator[bytes]:
    """The bodies of the MODULE frames of a compiled step."""
    doubt = job.doubt and {
        "message": job.doubt.message,
        "line": job.doubt.line,
        "column": job.doubt.column,
    }
    meta = json.dumps(
        {
            "operations": [item.to_json() for item in job.operations],
            "edits": job.edits,
            "check_edits": job.check_edits,
            "doubt": doubt,
            "unknown": job.unknown,
            "once": [item.once for item in job.data],
        }
    ).encode()
    lengths = [len(meta), job.check_bytes, job.code_bytes]
    lengths += [item.end - item.start for item in job.data]
    return _grouped(_head(index, step, lengths), _content(meta, job))


def _content(meta: bytes, job: CompiledJob) -> Iterator[bytes]:
    yield meta
    yield from job.check_pieces()
    yield from job.code_pieces()
    for number in range(len(job.data)):
        yield from job.data_pieces(number)


def _send_as_it_is(channel: Channel, index: int, step: JsonObject, text: Source) -> None:
    pieces = (
        text.text[start : start + CHUNK].encode("latin-1") for start in range(0, len(text), CHUNK)
    )
    channel.stream(ToRun.MODULE, _head(index, step, None, len(text)), pieces)


def _head(index: int, step: JsonObject, parts: list[int] | None, size: int = 0) -> bytes:
    head: JsonObject = {"index": index, "step": _word(step, "id"), "name": _label(step)}
    if parts is None:
        head["bytes"] = size
    else:
        head["bytes"], head["parts"] = sum(parts), list(parts)
    return json.dumps(head).encode() + b"\n"


def _send_error(channel: Channel, step: JsonObject, error: CompileError) -> None:
    if error.excerpt:
        channel.log("CMP", "error", error.description)
    channel.log("RTE", "error", "Error occurred during compilation")
    details = {"excerpt": error.excerpt, "fix": error.fix}
    body: bodies.RunError = {
        "timestamp": _now(),
        "error_type": "CompileError",
        "error_message": error.summary[:_MAX_WORDS],
        "severity": "crash",
        "step": _word(step, "id"),
        "details": {key: item for key, item in details.items() if item},
    }
    if error.line is not None:
        body["position"] = {"line": error.line, "column": error.column}
    channel.record(Kind.RUN_ERROR, body)


def _grouped(head: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Bodies of up to CHUNK bytes; the head is never alone unless there is nothing else."""
    buffer = bytearray(head)
    for piece in pieces:
        for start in range(0, len(piece), CHUNK):
            buffer += piece[start : start + CHUNK]
            if len(buffer) >= CHUNK:
                yield bytes(buffer)
                buffer.clear()
    if buffer:
        yield bytes(buffer)


def _label(step: JsonObject) -> str:
    return str(step.get("name") or step.get("id") or "step")[:WORD]


def _word(step: JsonObject, key: str) -> str | None:
    value = step.get(key)
    return value[:WORD] if isinstance(value, str) else None


def _duration(seconds: float) -> str:
    return f"{seconds:.2f}s" if seconds >= 1 else f"{round(seconds * 1000)}ms"


def peak_mb() -> float | None:
    """Largest memory (MB) so far. Not `ru_maxrss`, which also tells of the process before us."""
    try:
        # No pathlib: it and what it imports take a tenth of the start of this process.
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            status = file.read()
        kilobytes = int(status.split("VmHWM:", 1)[1].split(None, 1)[0])
    except (OSError, ValueError, IndexError):
        return None
    return round(kilobytes * 1024 / 1e6, 1)


def _now() -> str:
    return str(time.time_ns() // 1000)


if __name__ == "__main__":
    main()
