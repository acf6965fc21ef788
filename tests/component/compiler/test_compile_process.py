"""The compiler's process over pipes, as a shim would drive it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from typing import Any

import pytest

from holdfast.compiler import author_position
from holdfast.engine.frames import CHUNK, Decoder, FromRun, ToRun, encode
from holdfast.engine.run.plan_text import LONG, PlanError, PlanReader
from holdfast.model.record import Kind

PROGRAM = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
from holdfast.engine.run.compile_process import main
main()
"""
COMMON = "@openfn/language-common@3.0.0"
OPTIONS = {
    "run_id": "r",
    "adaptors": {COMMON: {"name": "@openfn/language-common", "exports": ["fn", "each"]}},
}


class Ended:
    """What the process sent."""

    def __init__(self, frames: list[tuple[int, bytes]], code: int, errors: str) -> None:
        self.frames = frames
        self.code = code
        self.errors = errors

    def records(self, kind: int) -> list[dict[str, Any]]:
        return [json.loads(body) for number, body in self.frames if number == kind]

    @property
    def kinds(self) -> list[int]:
        return [kind for kind, _ in self.frames]

    @property
    def plan(self) -> Any:
        return json.loads(b"".join(body for kind, body in self.frames if kind == ToRun.PLAN))

    def modules(self) -> list[tuple[dict[str, Any], list[bytes]]]:
        """Header and parts of each step."""
        found = []
        stream = b""
        header: dict[str, Any] | None = None
        for kind, body in self.frames:
            if kind != ToRun.MODULE:
                continue
            assert len(body) <= 2 * CHUNK
            if header is None:
                head, _, stream = body.partition(b"\n")
                header = json.loads(head)
            else:
                stream += body
            assert header is not None
            if len(stream) < header["bytes"]:
                continue
            parts, at = [], 0
            for length in header.get("parts", [len(stream)]):
                parts.append(stream[at : at + length])
                at += length
            assert at == len(stream)
            found.append((header, parts))
            header = None
        assert header is None
        return found


def compile_plan(plan: bytes, options: dict[str, Any] | None = None, chunk: int = CHUNK) -> Ended:
    incoming, outgoing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(outgoing)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[outgoing],
    )
    os.close(outgoing)
    assert process.stdin is not None
    feeding = threading.Thread(target=feed, args=(process.stdin, plan, options, chunk))
    feeding.start()
    decoder = Decoder()
    frames = []
    while data := os.read(incoming, 1 << 20):
        frames += list(decoder.feed(data))
    os.close(incoming)
    feeding.join()
    assert process.stderr is not None
    errors = process.stderr.read().decode()
    process.stderr.close()
    return Ended(frames, process.wait(30), errors)


def feed(pipe: Any, plan: bytes, options: dict[str, Any] | None, chunk: int) -> None:
    pipe.write(encode(ToRun.OPTIONS, json.dumps(options or OPTIONS).encode()))
    for start in range(0, len(plan), chunk):
        pipe.write(encode(ToRun.PLAN, plan[start : start + chunk]))
    pipe.write(encode(ToRun.GO))
    pipe.close()


def plan_of(*expressions: str | None, **more: Any) -> bytes:
    steps: list[dict[str, Any]] = []
    for number, text in enumerate(expressions):
        step = {"id": f"s{number}", "name": f"Step {number}", "adaptors": [COMMON], "next": {}}
        if text is not None:
            step["expression"] = text
        steps.append(step)
    return json.dumps({"id": "r", "workflow": {"steps": steps}, **more}).encode()


def test_a_plan_is_compiled_step_by_step() -> None:
    ended = compile_plan(plan_of("fn(s => s);", None, "each($.a, fn(x))\nfn(y)"))
    assert (ended.code, ended.errors) == (0, "")
    assert ended.kinds[-1] == FromRun.COMPILED
    assert ended.plan["workflow"]["steps"][2] == {
        "id": "s2", "name": "Step 2", "adaptors": [COMMON], "next": {},
    }  # fmt: skip
    (first, _), (second, parts) = ended.modules()
    assert (first["index"], first["step"], first["name"]) == (0, "s0", "Step 0")
    assert (second["index"], second["step"]) == (2, "s2")
    meta, check, code = parts
    assert code.decode() == (
        'import { fn, each } from "@openfn/language-common"; '
        'export * from "@openfn/language-common"; '
        "export default [each(state => (state.a), fn(x)),\nfn(y)];"
    )
    assert check.decode() == "each($.a, fn(x))\nfn(y)"
    known = json.loads(meta)
    assert [item["line"] for item in known["operations"]] == [1, 2]
    assert author_position(known["edits"], 2, 1) == (2, 1)
    assert [body["step"] for body in ended.records(Kind.REPORT)] == ["s0", "s2"]
    logged = ended.records(Kind.LOG)
    assert [body["source"] for body in logged] == ["CMP", "CMP"]
    assert all(body["message"][0].startswith("Compiled Step") for body in logged)


def test_large_data_goes_through_in_pieces_and_is_advised_against() -> None:
    data = json.dumps({str(n): {"name": "é" * 20, "n": n} for n in range(9000)}, indent=1)
    data = data.replace("\\u00e9", "é")
    ended = compile_plan(plan_of(f"const table = {data};\nfn(s => table[s.k]);"))
    assert (ended.code, ended.errors) == (0, "")
    ((_, parts),) = ended.modules()
    meta, check, code, hoisted = parts
    assert hoisted.decode() == data
    assert json.loads(meta)["once"] == [True]
    assert check.decode() == "const table = [0];\nfn(s => table[s.k]);"
    assert code.count(b"\n") == data.count("\n") + 1
    (report,) = ended.records(Kind.REPORT)
    assert report["data"][0]["name"] == "table"
    assert report["data"][0]["last_line"] == data.count("\n") + 1
    warnings = [body for body in ended.records(Kind.LOG) if body["level"] == "warn"]
    assert len(warnings) == 2
    assert "table (lines 1–" in warnings[0]["message"][0]


def test_the_first_error_ends_it() -> None:
    ended = compile_plan(plan_of("fn(1);", "const a = 1;\nconst x = $.a;", "fn($.b)"))
    assert ended.code == 0
    assert FromRun.COMPILED not in ended.kinds
    assert ended.kinds[-1] == Kind.RUN_ERROR
    (error,) = ended.records(Kind.RUN_ERROR)
    assert error["error_type"] == "CompileError"
    assert error["severity"] == "crash"
    assert error["step"] == "s1"
    assert error["position"] == {"line": 2, "column": 11}
    assert error["error_message"] == (
        "Step 1: Lazy State Error: Must be inside an operation (2:11)"
    )
    assert "const x = $.a;\n          ^" in error["details"]["excerpt"]


def test_expressions_may_be_modules_already() -> None:
    ended = compile_plan(plan_of("export default [s => s];"), {"compile": False})
    ((header, parts),) = ended.modules()
    assert "parts" not in header
    assert parts == [b"export default [s => s];"]
    assert ended.kinds[-1] == FromRun.COMPILED


@pytest.mark.parametrize("plan", [b"", b"[]", b"{", b'{"a": "', b'{"a": "\\x"}', b"\xff\xfe"])
def test_what_is_no_plan_ends_in_words(plan: bytes) -> None:
    ended = compile_plan(plan)
    assert (ended.code, ended.errors) == (0, "")
    (error,) = ended.records(Kind.RUN_ERROR)
    assert "plan cannot be read" in error["error_message"]


def test_nobody_sends_a_run() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "2"], input=b"", capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("seed", range(12))
def test_a_plan_is_read_alike_however_it_is_cut(seed: int) -> None:
    pick = random.Random(seed)
    letters = ["a", "\\", '"', "\n", "é", "\u2028", "\U0001f600", "/", "\x01", "中"]
    texts = ["".join(pick.choices(letters, k=pick.choice([5, LONG + 9, 3 * LONG]))) for _ in "123"]
    plan = {"workflow": {"steps": [{"expression": text, "state": texts} for text in texts]}}
    raw = json.dumps(plan, ensure_ascii=pick.random() < 0.5).encode()
    reader = PlanReader()
    at = 0
    while at < len(raw):
        size = pick.choice([1, 7, 1000, CHUNK])
        size = max(size, 500)
        reader.feed(raw[at : at + size])
        at += size
    read, expressions = reader.finish()
    assert [expressions[n].string(0, 1 << 30) for n in range(3)] == texts
    assert read == {"workflow": {"steps": [{"state": texts}] * 3}}


def test_a_string_of_escapes_alone_is_read() -> None:
    for escape in ("\\\\", "\\ud83d\\ude00", "\\n", "\\ud800", "\\u0041"):
        raw = b'{"workflow":{"steps":[{"expression":"' + escape.encode() * 40_000 + b'"}]}}'
        reader = PlanReader()
        for start in range(0, len(raw), 777):
            reader.feed(raw[start : start + 777])
        _, expressions = reader.finish()
        wanted = json.loads(f'"{escape * 40_000}"')
        wanted = wanted.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        assert expressions[0].string(0, 1 << 30) == wanted


def test_a_broken_escape_far_into_a_string_is_refused() -> None:
    def read() -> None:
        reader = PlanReader()
        reader.feed(b'{"a": "' + b"x" * LONG + b"\\q" + b"y" * LONG)
        reader.feed(b"y" * LONG + b'"}')
        reader.finish()

    with pytest.raises(PlanError):
        read()
