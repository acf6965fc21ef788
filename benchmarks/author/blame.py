"""Whose turn the explanations of failures say it is, against what was made."""

from __future__ import annotations

import asyncio
import http.server
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.author.failures import failures
from holdfast.diagnosis.entry import Turn
from holdfast.engine.client import Engine
from holdfast.engine.config import JAVASCRIPT, EngineConfig
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from support.engine import Ended, Running, engine
from support.made import made
from support.mistakes import Mistake

#: Jobs that end because Holdfast's own program is broken.
_OURS = 20


class _Answers(http.server.BaseHTTPRequestHandler):
    """`/404` answers 404; `/slow` never does; `/reset` hangs up, `/half` in the middle."""

    released = threading.Event()

    def do_GET(self) -> None:
        name = self.path.strip("/")
        if name == "slow":
            self.released.wait()
        if name == "reset":
            self.connection.close()
            return
        self.send_response(int(name) if name.isdigit() else 200)
        self.send_header("Content-Length", "100" if name == "half" else "2")
        self.end_headers()
        self.wfile.write(b"{}")
        self.close_connection = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    do_PUT = do_POST  # noqa: N815 - a name of the library

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def _answering() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that hang up
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        _Answers.released.set()
        server.shutdown()


def blamed(store: Path, known: JsonObject) -> list[tuple[Mistake, str, str]]:
    """Each failure with the turn and the code that its run was given."""
    found: list[tuple[Mistake, str, str]] = []
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder, _answering() as address:
        whole, broken = Path(folder, "whole"), Path(folder, "broken")
        cases = [_addressed(case, address) for case in failures()]
        with engine(whole, store=store) as running:
            ended = made(running, cases, {"URL": address}, known)
        found += [(case, *_said(ended[case.name])) for case in cases]
        ours = [_ours(number) for number in range(1, _OURS + 1)]
        with _broken_engine(broken, store) as running:
            ended = made(running, ours, {}, known)
        found += [(case, *_said(ended[case.name])) for case in ours]
    return found


@contextmanager
def _broken_engine(data: Path, store: Path) -> Iterator[Running]:
    """An engine whose program ends before it begins with a run."""
    copy = data / "javascript"
    shutil.copytree(JAVASCRIPT, copy)
    main = copy / "run.mjs"
    text = main.read_text(encoding="utf-8")
    mark = "    const plan = this.validated();\n"
    assert text.count(mark) == 1, "run.mjs begins a run"
    broken = text.replace(mark, "    throw new TypeError('made up');\n" + mark)
    main.write_text(broken, encoding="utf-8")
    program = copy / "main.mjs"
    config = EngineConfig(data, data / "e.sock", store=store, program=program, lane="cold")
    command = [sys.executable, "-m", "holdfast.engine.supervisor", "--config", config.to_json()]
    with subprocess.Popen(command) as process:
        asyncio.run(_answers(config))
        yield Running(config, process)
        process.terminate()


async def _answers(config: EngineConfig) -> None:
    await Engine.connect(config.socket)


def _ours(number: int) -> Mistake:
    """A run whose Node.js ends before it begins."""
    return Mistake(f"holdfast {number}", "fn(s => s);", "", "holdfast", "", "")


def _addressed(case: Mistake, address: str) -> Mistake:
    if not case.credential:
        return case
    return replace(case, credential={**case.credential, "baseUrl": address})


def _said(ended: Ended) -> tuple[str, str]:
    diagnosis = ended.bodies(Kind.OUTCOME)[0].get("diagnosis")
    if not isinstance(diagnosis, dict):
        return "nothing", str(ended.outcome.error_type)
    return str(diagnosis["turn"]), f"{diagnosis['code']} {ended.outcome.error_message}"[:120]


def table(found: list[tuple[Mistake, str, str]]) -> list[str]:
    """Rows: what was made. Columns: what was said."""
    turns = [turn.value for turn in Turn if turn is not Turn.NOBODY]
    counts = Counter((case.turn, said) for case, said, _ in found)
    others = sorted({said for _, said, _ in found} - set(turns))
    heads = [*turns, *others]
    lines = [f"| made, said | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for turn in turns:
        cells = [str(counts[turn, said] or "–") for said in heads]
        lines.append(f"| {turn} | {' | '.join(cells)} |")
    return lines
