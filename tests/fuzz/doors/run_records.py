"""What a run writes to its shim, well framed: records of every kind, one part of them nasty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from fuzz.harness import Target
from fuzz.pipeline import road
from fuzz.values import NASTY, text_of
from holdfast.engine.frames import FromRun, encode
from holdfast.model.record import Kind

TIME = "1795424525513089"
STEP = {"step_id": "s", "job_id": "j", "timestamp": TIME}
#: What a failure is explained from.
FACTS = {
    "phase": "step", "operation": 2, "name": "get", "line": 3, "first": 1, "thrown": "object",
    "causes": [{"code": "ECONNREFUSED", "address": "::1", "port": 80, "hostname": "a",
                "message": "Cannot read properties of undefined (reading 'x')", "status": "404",
                "url": "http://a/b?c=d", "method": "get", "statusCode": 404,
                "body": "no", "syscall": "connect"}],
    "state": {"data": {"[]": 2, "[0]": {"name": "string"}}, "configuration": {"user": "string"}},
    "adaptors": [{"name": "@openfn/language-http", "version": "1.0.0", "exports": ["get", "post"],
                  "keys": ["baseUrl", "username"], "required": ["baseUrl"]}],
    "code": "get('/x');\nfn(state => state.data.map(x => x.names.y));",
    "findings": [{"what": "no_state", "operation": 1, "name": "fn", "line": 1},
                 {"what": "lost", "path": "data.x", "kind": "promise"},
                 {"what": "pending", "method": "GET", "host": "a", "path": "/"}],
}  # fmt: skip
#: Ends whose words the rules read.
ENDS = (
    {"error_type": "RuntimeError",
     "error_message": "TypeError: Cannot read properties of undefined (reading 'y')"},
    {"error_type": "RuntimeCrash", "error_message": "ReferenceError: gett is not defined"},
    {"error_type": "AdaptorError", "error_message": "Request failed with status code 502: url"},
    {"error_type": "JobError", "error_message": "state.data.mapp is not a function"},
    {"error_type": "TimeoutError", "error_message": "Job took longer than 5000ms"},
    {"error_type": "EdgeConditionError", "error_message": "a->b (x is not iterable)"},
    {"error_type": "ImportError", "error_message": "Failed to import module \"x\""},
)  # fmt: skip
#: What honest engines and compilers send, with every field there is.
HONEST: dict[Kind, dict[str, Any]] = {
    Kind.PHASE: {"phase": "step", "step": "j", "name": "Job", "operation": 1},
    Kind.LOG: {"source": "JOB", "level": "info", "message": ["a", 1, {"b": [None, 1.5]}],
               "timestamp": TIME, "step_id": "s", "print": True},
    Kind.STEP_START: {**STEP, "input_dataclip_id": "d"},
    Kind.STEP_COMPLETE: {
        **STEP, "duration": 3, "thread_id": 1, "mem": {"job": 1, "system": 2}, "reason": "success",
        "error_type": None, "error_message": None,
        "position": {"line": 1, "column": 2, "src": "x"},
        "next": ["k"], "output_dataclip_id": "o", "output": {"inline": '{"a":1}'}, "wrapped": True,
        "webhook_response_document": {"inline": '{"status":200}'},
        "measures": {"duration_ms": 1, "cpu_ms": 1, "peak_heap_bytes": 1},
    },
    Kind.RESULT: {"timestamp": TIME, "reason": "success", "error_type": None,
                  "error_message": None, "final_dataclip_id": "o",
                  "final_state": {"inline": '{"a":1}'}},
    Kind.RUN_ERROR: {"timestamp": TIME, "error_type": "E", "error_message": "m",
                     "severity": "crash", "step": "j", "subtype": "S",
                     "position": {"line": None, "column": None}, "details": {"a": [1]},
                     "facts": FACTS},
    Kind.REQUEST: {"timestamp": TIME, "what": "sent", "number": 1, "step_id": "s", "operation": 1,
                   "method": "GET", "host": "a", "path": "/x?y=…", "bytes": 3, "status": None,
                   "error": None, "ms": 1.5},
    Kind.REPORT: {"step": "j", "name": "Job", "source_bytes": 1, "module_bytes": 1,
                  "operations": 1, "imports": {}, "data": [{"name": "x", "bytes": 1}],
                  "data_count": 1,
                  "data_bytes": 300_000, "hoisted_bytes": 0, "forecast_mb": 1.5, "seconds": 0.1,
                  "peak_mb": 20.5, "advice": [], "warnings": ["w"]},
}  # fmt: skip
STRAY = (Kind.CLAIMED, Kind.LAUNCHED, 20, Kind.SAMPLE, Kind.OUTCOME, Kind.NOTE, 0, 63, 255)


def make(chance: Random) -> bytes:
    """First sender and platform, then frames; wild in none, one or all of them."""
    compiler = chance.random() < 0.1
    count = chance.choice((1, 5, 20, 60))
    wild = {chance.randrange(count)} if chance.random() < 0.8 else set(range(count))
    frames, opened, number = [], False, 0
    for place in range(count):
        share = 0.08 if place in wild and chance.random() < 0.9 else 0.0
        kind = _kind(chance, opened=opened)
        body = dict(HONEST[kind])
        if kind in (Kind.STEP_START, Kind.STEP_COMPLETE):
            opened = kind is Kind.STEP_START
            number += opened
            body["step_id"] = f"s{number}"
        if kind in (Kind.STEP_COMPLETE, Kind.RUN_ERROR) and chance.random() < 0.5:
            body |= {**chance.choice(ENDS), "facts": FACTS}
        if kind is Kind.STEP_COMPLETE and "facts" in body and chance.random() < 0.7:
            body["reason"] = "fail"
        if kind is Kind.REQUEST:
            body |= {"what": chance.choice(("sent", "answered", "failed")), "number": number}
        if kind is Kind.STEP_COMPLETE and chance.random() < 0.3:
            frames.append(_blob(chance, number))
            body["output"] = {"stream": number, "bytes": 14}
        text = text_of(body, chance, wild=share) if share else json.dumps(body)
        stray = share and chance.random() < 0.05
        frames.append(encode(chance.choice(STRAY) if stray else kind, _bytes(text)))
    if chance.random() < 0.5:
        frames.append(encode(Kind.RESULT, _bytes(text_of(HONEST[Kind.RESULT], chance, wild=0.02))))
    return bytes([compiler + 2 * (chance.random() < 0.3)]) + b"".join(frames)


def _kind(chance: Random, *, opened: bool) -> Kind:
    if chance.random() < 0.6:
        return Kind.LOG
    if chance.random() < 0.6:
        return Kind.STEP_COMPLETE if opened else Kind.STEP_START
    return chance.choice((Kind.PHASE, Kind.PHASE, Kind.REQUEST, Kind.RUN_ERROR, Kind.REPORT))


def _blob(chance: Random, number: int) -> bytes:
    head = number.to_bytes(4, "little")
    text = chance.choice(
        (b'{"data":"abc"}', b'{"data":"abc"}', chance.choice(NASTY).encode()[:14])
    )
    return encode(FromRun.BLOB, head + text.ljust(14)) + encode(FromRun.BLOB_END, head)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    with road(folder) as way:

        def target(data: bytes) -> int:
            before = way.records
            sender = "compiler" if data[:1] in (b"\x01", b"\x03") else "engine"
            way.drive(sender, [data[1:]], strict=data[:1] > b"\x01")
            return way.records - before

        yield target
