"""Records many runs and replays each three times: `make replays COUNT=… SEED=…`.

Every replay must make the same outputs, byte for byte, as the recording, and no secret of a run
may stand in its file. The other system's answers, the clock and chance are real while recording.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from holdfast.bench.bundle import Bundle, bundle_of
from holdfast.bench.bundle_file import read_bundle, write_bundle
from holdfast.bench.replaying import Stage, compared, replay
from holdfast.cli.planfile import plan_adaptors
from holdfast.cli.stage import Standby
from holdfast.engine.client import RunRequest, prepare_run, start_supervisor
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from holdfast.sandbox import folders
from replays.works import Work, answer, work_of
from support.adaptors import COMMON, HTTP, installed
from support.waiting import finish
from support.web import serve_web

REPLAYS = 3
LIMITS = Limits(memory_mb=200, timeout_seconds=60)


async def prove(seed: int, count: int, home: Path) -> list[str]:
    """What is wrong, run by run."""
    (home / "journals").mkdir(mode=0o700)
    store = installed()
    known = await store.ensure([COMMON, HTTP])
    problems: list[str] = []
    configure = Standby(LIMITS.memory_mb).configured
    async with start_supervisor(home, configure=configure) as engine:
        with serve_web(answer) as web:
            for number in range(count):
                work = work_of(seed * 1_000_000 + number, web.address)
                named = plan_adaptors(work.plan)
                options: JsonObject = {name: known[name].to_option() for name in named}
                stage = Stage(engine, home, options, LIMITS)
                found = await _prove_one(work, stage, home / "run.json")
                for problem in found:
                    _say(f"  run {number}: {problem}")
                problems += found
                if number % 50 == 49:
                    _say(f"{number + 1} runs, {len(problems)} problems")
    return problems


async def _prove_one(work: Work, stage: Stage, file: Path) -> list[str]:
    recorded = await _record(work, stage)
    write_bundle(recorded, file)
    text = file.read_text(encoding="utf-8", errors="surrogatepass")
    found = [f"its file holds {canary}" for canary in work.canaries if canary in text]
    bundle, expected = read_bundle(file), digest(recorded)
    for _ in range(REPLAYS):
        made = await replay(bundle, stage)
        if digest(made.made) != expected:
            found.append(f"a replay made something else: {_difference(recorded, made.made)}")
        found += [f"asked otherwise: {line}" for line in made.otherwise]
    return found


async def _record(work: Work, stage: Stage) -> Bundle:
    run_id = str(uuid.uuid4())
    folder = prepare_run(stage.data / "journals", run_id, work.plan, work.state)
    options: JsonObject = {"egress": "open", "adaptors": stage.adaptors, "record": True}
    request = RunRequest(folder.path, run_id, stage.limits, work.credentials, options)
    handle = await stage.engine.launch(request)
    await handle.outcome()
    bundle = bundle_of(folder, untaped=True)
    folders.remove(folder.path)
    return bundle


def _difference(recorded: Bundle, made: Bundle) -> str:
    changes = [change for change in compared(recorded, made) if not change.same]
    steps = "; ".join(f"{it.step} {it.before} -> {it.now} {it.lines[:3]}" for it in changes)
    return f"{recorded.outcome} -> {made.outcome}: {steps}"[:600]


def digest(bundle: Bundle) -> str:
    """One number for how every step ended and what it left."""
    ends = [(step.id, step.reason, step.output) for step in bundle.steps]
    outcome = [bundle.outcome.get(key) for key in ("reason", "error_type")]
    return hashlib.sha256(repr((ends, outcome)).encode("utf-8", "surrogatepass")).hexdigest()


def main(arguments: list[str]) -> int:
    """Returns the exit code: 1 when a replay differs, or a secret came out."""
    parser = argparse.ArgumentParser(prog="python -m tests.replays", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="holdfast-replays-") as folder:
        problems = finish(prove(given.seed, given.count, Path(folder)))
    seconds = time.monotonic() - began
    _say(
        f"seed {given.seed}: {given.count} runs, each replayed {REPLAYS} times,"
        f" {len(problems)} problems, {seconds:.0f} s"
    )
    return 1 if problems else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
