"""Every cause of the catalogue, provoked through the whole engine, and what its author is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from holdfast.adaptors import InstalledAdaptor
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from holdfast.model.record import Kind
from support.correct_jobs import JOBS, OPENMRS, STATE
from support.engine import Ended, Running, engine, job, run
from support.made import made
from support.mistake_servers import others
from support.mistakes import COLLECTIONS, COMMON, FAILURES, FHIR, HTTP, WARNINGS, Mistake

ADAPTORS = (COMMON, HTTP, FHIR, COLLECTIONS, OPENMRS)


@dataclass(frozen=True, slots=True)
class World:
    """An engine, other systems by the words that stand for their addresses, and adaptors."""

    running: Running
    places: dict[str, str]
    known: JsonObject


@pytest.fixture(scope="module")
def world(
    real_adaptors: dict[str, InstalledAdaptor],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    known: JsonObject = {name: real_adaptors[name].to_option() for name in ADAPTORS}
    data = tmp_path_factory.mktemp("mistakes")
    store = real_adaptors[COMMON].path.parents[4]
    with engine(data, store=store) as running, others(tmp_path_factory.mktemp("tls")) as places:
        yield World(running, places, known)


@pytest.fixture(scope="module")
def ended(world: World) -> dict[str, Ended]:
    """Every mistake, made once."""
    return made(world.running, [*FAILURES, *WARNINGS], world.places, world.known)


@pytest.mark.parametrize("mistake", FAILURES, ids=lambda mistake: mistake.name)
def test_failure_says_cause_change_and_turn(mistake: Mistake, ended: dict[str, Ended]) -> None:
    found = ended[mistake.name]
    diagnosis = found.bodies(Kind.OUTCOME)[0].get("diagnosis")
    assert isinstance(diagnosis, dict), found.outcome
    assert diagnosis["code"] == mistake.expected, (found.outcome, diagnosis)
    assert mistake.says in str(diagnosis["what"])
    assert mistake.change in str(diagnosis["change"])
    assert diagnosis["turn"] == mistake.turn
    assert f"{mistake.expected}  {diagnosis['what']}" in found.log
    assert len(str(diagnosis["fingerprint"])) == 12
    for word in ("None", "True", "False", "{'"):
        assert word not in f"{diagnosis['what']} {diagnosis['change']}"
    if mistake.credential:
        assert "secret-value-1" not in str(found.records)


@pytest.mark.parametrize("mistake", WARNINGS, ids=lambda mistake: mistake.name)
def test_silent_success_warns_its_author(mistake: Mistake, ended: dict[str, Ended]) -> None:
    found = ended[mistake.name]
    assert found.outcome.error_type is None, found.outcome
    lines = [line for line in found.log.splitlines() if line.startswith(mistake.expected)]
    assert any(mistake.says in line and mistake.change in line for line in lines), found.log


def test_caret_stands_under_the_unknown_name(ended: dict[str, Ended]) -> None:
    diagnosis = ended["unknown function"].bodies(Kind.OUTCOME)[0]["diagnosis"]
    assert isinstance(diagnosis, dict)
    assert diagnosis["position"] == {"line": 2, "column": 1, "src": "gett('/x');"}


def test_loop_and_slow_request_end_with_different_words(ended: dict[str, Ended]) -> None:
    said = [
        ended[name].bodies(Kind.OUTCOME)[0]["diagnosis"]
        for name in ("endless loop", "slow request")
    ]
    assert said[0] != said[1]


def test_nothing_is_said_of_correct_jobs(world: World) -> None:
    jobs = [item for item in JOBS if item.runs]
    steps = [
        job(item.code.replace("URL", world.places["URL"]), id=item.name, name=item.name,
            adaptors=[item.adaptor])
        for item in jobs
    ]  # fmt: skip
    first = job("fn(s => s);", adaptors=[COMMON], next={item.name: True for item in jobs})
    credentials: JsonObject = {
        item.name: json.loads(json.dumps(item.credential).replace("URL", world.places["URL"]))
        for item in jobs
        if item.credential
    }
    options: JsonObject = {"adaptors": world.known, "egress": "open"}
    limits = Limits(memory_mb=300, timeout_seconds=60)
    whole = run(world.running, first, *steps, limits=limits, options=options, state=STATE,
                credentials=credentials)  # fmt: skip
    said = [
        body["message"]
        for body in whole.bodies(Kind.LOG)
        if body["level"] in ("warn", "error") or "HF1" in str(body["message"])
    ]
    assert said == []
    assert len(whole.bodies(Kind.STEP_COMPLETE)) == len(jobs) + 1
    assert whole.outcome.error_type is None
