"""`python -m tests.fuzz.inside --records N`: forged records from inside real runs.

A real platform and a real worker. Jobs that have escaped the vm write records past their engine;
most are taken, the last of each run ends it. Between them honest runs must be served as before.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.doors.run_records import HONEST
from fuzz.values import NASTY, text_of
from holdfast.cli.journal import places
from holdfast.engine.frames import encode
from holdfast.journal import JournalReader, RunFolder
from holdfast.model.bodies import SHAPES
from holdfast.model.json import Unfit, parse_fit
from holdfast.model.record import Kind
from support.adaptors import installed
from support.engine import ESCAPE
from support.platform import Served
from support.worker import Worker

FORGING = (
    "export default [state => {" + ESCAPE + "const fs = process.getBuiltinModule('fs');"
    " const all = Buffer.from(state.data.frames, 'base64'); let done = 0;"
    " while (done < all.length) { try { done += fs.writeSync(3, all, done); }"
    " catch (e) { if (e.code !== 'EAGAIN') throw e; } } for (;;); }];"
)  # fmt: skip
COMMON = "@openfn/language-common@3.3.4"
PLAIN = "export default [state => ({ data: { n: 1 } })];"
IDS = {name: str(uuid.UUID(int=number)) for number, name in enumerate(("forging", "plain"), 100)}
TRIGGERS = {name: str(uuid.UUID(int=number)) for number, name in enumerate(IDS, 200)}


@dataclass(frozen=True)
class Reached:
    """What the worker is told of the platform."""

    url: str
    secret: str


def project() -> dict[str, Any]:
    """Two workflows of one job each."""
    workflows = [
        {
            "name": name,
            "jobs": [{"id": IDS[name], "name": name, "body": body, "adaptor": COMMON}],
            "triggers": [{"id": TRIGGERS[name], "type": "webhook", "enabled": True}],
            "edges": [{"source_trigger_id": TRIGGERS[name], "target_job_id": IDS[name],
                       "condition_type": "always"}],
        }
        for name, body in (("forging", FORGING), ("plain", PLAIN))
    ]  # fmt: skip
    return {"name": "inside", "workflows": workflows}


def forged(chance: Random, count: int) -> bytes:
    """Frames of so many records that are taken, and one that ends the run."""
    frames: list[bytes] = []
    while len(frames) < count:
        kind = chance.choice((Kind.LOG, Kind.LOG, Kind.LOG, Kind.PHASE))
        body = text_of(HONEST[kind], chance, wild=0.05).encode("utf-8", "surrogatepass")
        try:
            if SHAPES[kind].problem(parse_fit(body)) is None:
                frames.append(encode(kind, body))
        except Unfit:
            continue
    last = f'{{"source":"JOB","level":"info","message":{chance.choice(NASTY)}}}'
    return b"".join(frames) + encode(Kind.LOG, last.encode("utf-8", "surrogatepass"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--each", type=int, default=5000, help="records of one run")
    parser.add_argument("--lane", default="zygote", help="as of the worker: auto, zygote, cold …")
    parser.add_argument("--seed", default="1")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hf-inside-") as folder:
        return asyncio.run(story(Path(folder), given))


async def story(folder: Path, given: argparse.Namespace) -> int:
    """Honest runs, forging ones with honest ones between them, honest runs again."""
    with Served(folder / "platform") as served:
        served.deploy(project())
        # making a case takes longer than the platform keeps an idle connection
        served.client.headers["Connection"] = "close"
        reached = Reached(served.worker_url, served.platform.keys.worker_secret)
        options = {
            "WORKER_LOG_LEVEL": "warn",
            "WORKER_REPO_DIR": installed().root,
            "WORKER_LANE": given.lane,
        }
        async with Worker(reached, folder / "worker", **options) as worker:
            before = [honest(served) for _ in range(10)]
            between, sent, begun = [], 0, time.monotonic()
            for number in range(given.records // given.each):
                frames = forged(Random(f"{given.seed} {number}"), given.each - 1)
                body = {"frames": base64.b64encode(frames).decode()}
                run_id = served.post(body, TRIGGERS["forging"])
                assert ended(served, run_id)["error_type"] == "ProtocolViolation"
                sent += given.each
                between.append(honest(served))
            seconds = time.monotonic() - begun
            after = [honest(served) for _ in range(10)]
            assert await worker.end() == 0
            lanes = seen_lanes(folder / "worker")
    figures = {
        "records": sent, "runs": len(between), "seconds": round(seconds),
        "honest_ms": [round(statistics.median(item) * 1000) for item in (before, between, after)],
        "seed": given.seed, "lanes": lanes,
    }  # fmt: skip
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0


def seen_lanes(data: Path) -> dict[str, int]:
    """How many of the runs whose journals are still kept came to which lane."""
    counts = Counter[str]()
    for _, path in places(data):
        with JournalReader(RunFolder(path).journal) as reader:
            counts.update(
                str(record.json()["lane"])
                for record in reader.read()
                if record.kind == Kind.LAUNCHED
            )
    return dict(counts)


def honest(served: Served) -> float:
    """Seconds of one honest run, from its webhook to its end."""
    begun = time.monotonic()
    run = ended(served, served.post({}, TRIGGERS["plain"]))
    assert run["state"] == "success", run
    return time.monotonic() - begun


def ended(served: Served, run_id: str) -> dict[str, Any]:
    """The run once it is final."""
    deadline = time.monotonic() + 120
    while (run := served.run(run_id))["state"] in {"available", "claimed", "started"}:
        assert time.monotonic() < deadline, run
        time.sleep(0.02)
    return run


if __name__ == "__main__":
    sys.exit(main())
