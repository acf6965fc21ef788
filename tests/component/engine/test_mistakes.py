"""Every cause of the catalogue, provoked through the whole engine, and what its author is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.adaptors import InstalledAdaptor
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from support.engine import Ended, engine
from support.made import made
from support.mistake_servers import others
from support.mistakes import COLLECTIONS, COMMON, FAILURES, FHIR, HTTP, WARNINGS, Mistake

ADAPTORS = (COMMON, HTTP, FHIR, COLLECTIONS)


@pytest.fixture(scope="module")
def ended(
    real_adaptors: dict[str, InstalledAdaptor],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Ended]]:
    """Every mistake, made once."""
    known: JsonObject = {name: real_adaptors[name].to_option() for name in ADAPTORS}
    data = tmp_path_factory.mktemp("mistakes")
    store = real_adaptors[COMMON].path.parents[4]
    with engine(data, store=store) as running, others(tmp_path_factory.mktemp("tls")) as places:
        mistakes = [*FAILURES, *WARNINGS]
        yield made(running, mistakes, places, known)


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
