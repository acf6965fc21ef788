"""Kills runs at each boundary of their requests: `make boundaries RUNS=… SEED=…`.

A run makes 25 requests to a mock DHIS2 and 25 to a mock FHIR server. It is killed when one of them
has arrived and is not answered, or when its answer has left. Then the run is tried again. Told
of the first try must be what the servers saw: none that arrived is said to have never left, none
whose answer the code went on from is of unknown fate. None is missing except where the process
that writes the journal was killed: then it must be said that the last may be missing. What arrives
twice must have been told so, and is carried out once, as its key is known.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from holdfast.engine.client import Engine, RunRequest, prepare_run, start_supervisor
from holdfast.engine.requests import ANSWERED, NEVER, UNKNOWN, Requests, requests_of
from holdfast.journal import JournalReader
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from holdfast.model.record import Kind
from holdfast.sandbox import processes
from support.adaptors import FHIR, HTTP, installed
from support.waiting import finish
from support.web import Answer, Asked, serve_web

EACH = 25
LIMITS = Limits(memory_mb=200, timeout_seconds=60)
DHIS2_CODE = (
    "each('$.numbers[*]', idempotent(s => 'event ' + s.data,"
    " put(s => '/api/events/' + s.data, s => ({ event: s.data }))));"
)
FHIR_CODE = (
    "each('$.numbers[*]', idempotent(s => 'patient ' + s.data,"
    " post(s => 'Patient/' + s.data, s => ({ resourceType: 'Patient', id: s.data }))));"
)
#: When a run is killed: its request is here, or its answer has left.
MOMENTS = ("arrived", "answered")
#: Who is killed: what executes the run's code, or the process above it.
VICTIMS = ("run", "shim")


@dataclass(frozen=True)
class Blow:
    """Kill `victim` at this moment of the request with this number."""

    number: int
    moment: str
    victim: str


@dataclass
class Servers:
    """What both servers saw. `carried_out`: how often each thing was done, keys being known."""

    arrived: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    carried_out: Counter[str] = field(default_factory=Counter)
    blow: Blow | None = None
    journal: Path | None = None
    _keys: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.arrived[asked.path] += 1
            key = asked.headers["idempotency-key"]
            self.carried_out[asked.path] += key not in self._keys
            self._keys.add(key)
            number = self.arrived.total()
        strikes = self.blow is not None and self.blow.number == number
        if strikes and self.blow is not None and self.blow.moment == "arrived":
            self._strike()
        else:
            self.answered[asked.path] += 1
        if strikes and self.blow is not None and self.blow.moment == "answered":
            threading.Thread(target=self._strike).start()
        return Answer(body={"resourceType": "OperationOutcome", "status": "OK"})

    def _strike(self) -> None:
        assert self.blow is not None
        assert self.journal is not None
        with JournalReader(self.journal) as reader:
            launched = next(r.json() for r in reader.read() if r.kind == Kind.LAUNCHED)
        pids, started = launched["pids"], launched["started"]
        assert isinstance(pids, dict)
        assert isinstance(started, dict)
        chosen = [(pids[name], started[name]) for name in pids]
        if self.blow.victim != "run":
            chosen = [(launched["shim"], launched["shim_started"])]
        for pid, began in ((int(str(one)), int(str(then))) for one, then in chosen):
            if processes.is_alive(pid, began):  # the compiler's number may be another's by now
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


async def prove(seed: int, count: int, home: Path, tally: Counter[str] | None = None) -> list[str]:
    """What is wrong, run by run. `tally` counts what is worth knowing."""
    tally = Counter() if tally is None else tally
    (home / "journals").mkdir(mode=0o700)
    store = installed()
    known = await store.ensure([HTTP, FHIR])
    adaptors: JsonObject = {name: known[name].to_option() for name in known}
    places = itertools.product(range(1, 2 * EACH + 1), MOMENTS, VICTIMS)
    blows = list(itertools.starmap(Blow, places))
    random.Random(seed).shuffle(blows)
    problems: list[str] = []
    async with start_supervisor(home) as engine:
        for number in range(count):
            blow = blows[number % len(blows)]
            found = await _prove_one(blow, engine, home, adaptors, tally)
            for problem in found:
                _say(f"  run {number}, {blow}: {problem}")
            problems += found
            if number % 50 == 49:
                _say(f"{number + 1} runs, {len(problems)} problems")
    return problems


async def _prove_one(
    blow: Blow, engine: Engine, home: Path, adaptors: JsonObject, tally: Counter[str]
) -> list[str]:
    servers, order = Servers(blow=blow), str(uuid.uuid4())
    with serve_web(servers.answer) as web:
        first, reason = await _run(engine, home, web.address, order, adaptors, servers)
        if reason == "success" and blow.number < EACH:  # a late blow may find that it has ended
            return ["the run was not struck"]
        problems = _untrue(first, servers)
        told = {request.path for request in first.known.values() if request.fate != NEVER}
        servers.blow = None
        second, reason = await _run(engine, home, web.address, order, adaptors, servers)
    if reason != "success" or any(one.fate != ANSWERED for one in second.known.values()):
        problems.append(f"the second try ended as {reason}")
    twice = [path for path, times in servers.arrived.items() if times > 1]
    untold = [path for path in twice if path not in told]
    if untold and not (first.cut and blow.victim == "shim"):
        problems.append(f"{untold} arrived twice and were not told")
    tally["missing, which was said"] += len(untold)
    problems += [
        f"{path} was carried out {times} times"
        for path, times in servers.carried_out.items()
        if times != 1
    ]
    if len(servers.carried_out) != 2 * EACH:
        problems.append(f"{len(servers.carried_out)} things were carried out")
    return problems


def _untrue(first: Requests, servers: Servers) -> list[str]:
    """Where the journal says something else than the servers, or less than was known."""
    told = list(first.known.values())
    fates = {request.path: request for request in told}
    problems = [
        f"{path} arrived, and is told as never left"
        for path in servers.arrived
        if path in fates and fates[path].fate == NEVER
    ]
    for request in told:
        if request.fate == ANSWERED and not servers.answered[request.path]:
            problems.append(f"{request.path} is told as answered and was not")
        # the code makes one request after the other: all before the last were answered to it
        if request.fate == UNKNOWN and request is not told[-1] and not first.cut:
            problems.append(f"{request.path} was known to be answered, and is of unknown fate")
    return problems


async def _run(
    engine: Engine, home: Path, address: str, order: str, adaptors: JsonObject, servers: Servers
) -> tuple[Requests, str]:
    """One try of the work order: what it told of its requests, and its reason."""
    run_id = str(uuid.uuid4())
    steps: list[JsonObject] = [
        {"id": "dhis2", "adaptors": [HTTP], "expression": DHIS2_CODE, "next": {"fhir": True}},
        {"id": "fhir", "adaptors": [FHIR], "expression": FHIR_CODE},
    ]
    plan: JsonObject = {
        "id": run_id,
        "workflow": {"steps": [*steps]},
        "options": {"start": "dhis2"},
    }
    state: JsonObject = {"numbers": [*range(1, EACH + 1)]}
    folder = prepare_run(home / "journals", run_id, plan, state)
    servers.journal = folder.journal
    credentials: JsonObject = {
        "dhis2": {"baseUrl": address}, "fhir": {"baseUrl": address, "apiPath": "fhir"},
    }  # fmt: skip
    options: JsonObject = {"egress": "open", "adaptors": adaptors, "meta": {"workOrderId": order}}
    handle = await engine.launch(RunRequest(folder.path, run_id, LIMITS, credentials, options))
    outcome = await handle.outcome()
    with JournalReader(folder.journal) as reader:
        told = requests_of(reader.read())
    return told, outcome.reason.value


def main(arguments: list[str]) -> int:
    """Returns the exit code: 1 when something was told untruly or done twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.boundaries", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    began, tally = time.monotonic(), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="holdfast-boundaries-") as folder:
        problems = finish(prove(given.seed, given.runs, Path(folder), tally))
    seconds = time.monotonic() - began
    _say(
        f"seed {given.seed}: {given.runs} runs killed and tried again,"
        f" {len(problems)} problems, {dict(tally)}, {seconds:.0f} s"
    )
    return 1 if problems else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
