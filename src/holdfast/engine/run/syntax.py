"""V8's word on the syntax of compiled steps, for commands and tests.

In a run the engine's own process judges (`javascript/syntax.mjs`); this starts a process for it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import TypedDict

from holdfast.compiler.job import CompiledJob, CompileError
from holdfast.compiler.source import utf8
from holdfast.engine.config import JAVASCRIPT, node_binary

FLAGS = (
    "--experimental-vm-modules", "--expose-internals", "--no-warnings", "--max-old-space-size=512",
)  # fmt: skip
_JUDGE = JAVASCRIPT / "judge.mjs"


class Verdict(TypedDict):
    """An error V8 found; line and column count from 1."""

    message: str
    line: int | None
    column: int | None


def verdicts(texts: Sequence[bytes | str]) -> list[Verdict | None]:
    """What V8 says of each text as a module: `message`, `line`, `column` (None if unknown).

    Raises OSError or subprocess.CalledProcessError when Node cannot be run.
    """
    raw = [utf8(text) if isinstance(text, str) else text for text in texts]
    head = json.dumps([len(text) for text in raw]).encode()
    done = subprocess.run(
        [node_binary(), *FLAGS, _JUDGE],
        input=b"".join([head, b"\n", *raw]),
        stdout=subprocess.PIPE,
        check=True,
        env={},
    )
    found: list[Verdict | None] = json.loads(done.stdout)
    return found


def judge(jobs: Sequence[CompiledJob]) -> list[CompileError | None]:
    """The error of each step, or None where V8 accepts it and the compiler understood it."""
    texts = [b"".join(job.check_pieces()) for job in jobs]
    return [
        job.syntax_error(verdict["message"], verdict["line"], verdict["column"])
        if verdict
        else job.doubt
        for job, verdict in zip(jobs, verdicts(texts), strict=True)
    ]
