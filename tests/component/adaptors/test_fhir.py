"""`language-fhir` against a canned FHIR server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.adaptors import FHIR
from support.runs import Runs
from support.web import Answer, Asked, Web, serve_web

PATIENTS: dict[str, Any] = {
    "1": {"resourceType": "Patient", "id": "1", "name": [{"family": "Okoth"}]},
    "2": {"resourceType": "Patient", "id": "2", "name": [{"family": "Auma"}]},
}


def answer(asked: Asked) -> Answer:
    """A FHIR server with two patients and one claim."""
    fhir = {"content-type": "application/fhir+json"}
    parts = asked.path.removeprefix("/base/R4").strip("/").split("/")
    if asked.headers.get("authorization") != "Bearer fhir-token-1":
        outcome = {"resourceType": "OperationOutcome", "issue": [{"code": "login"}]}
        return Answer(outcome, 401, fhir)
    if asked.method == "POST" and parts == [""]:
        entries = asked.json["entry"]
        response = [{"response": {"status": "201 Created"}} for _ in entries]
        return Answer(
            {"resourceType": "Bundle", "type": "transaction-response", "entry": response},
            200,
            fhir,
        )
    if asked.method == "POST":
        return Answer({**asked.json, "id": "new-1"}, 201, fhir)
    if parts[0] == "Claim":
        return Answer({"resourceType": "Claim", "id": parts[1]}, 200, fhir)
    if len(parts) == 2:
        found = PATIENTS.get(parts[1])
        missing: dict[str, Any] = {"resourceType": "OperationOutcome"}
        return Answer(found or missing, 200 if found else 404, fhir)
    name = asked.query.get("family")
    entries = [
        {"resource": p} for p in PATIENTS.values() if name in {None, p["name"][0]["family"]}
    ]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return Answer({**bundle, "entry": entries}, 200, fhir)


@pytest.fixture
def web() -> Iterator[Web]:
    with serve_web(answer) as running:
        yield running


def configuration(web: Web) -> dict[str, str]:
    return {"baseUrl": f"{web.address}/base", "apiPath": "R4", "access_token": "fhir-token-1"}


def test_read_search_create_and_transact(runs: Runs, web: Web) -> None:
    finished = runs.job(
        """
        fn(s => ({ ...s, seen: [] }));
        get('Patient/2');
        fn(s => { s.seen.push(s.data.name[0].family); return s });
        get('Patient', { family: 'Okoth' });
        fn(s => { s.seen.push(s.data.total, s.data.entry[0].resource.id); return s });
        create('Observation', { status: 'final', code: { text: 'weight' } });
        fn(s => { s.seen.push(s.data.id, s.data.resourceType, s.response.statusCode); return s });
        getClaim('c-9');
        fn(s => { s.seen.push(s.data.id); return s });
        createTransactionBundle([
          { resource: { resourceType: 'Patient' }, request: { method: 'POST', url: 'Patient' } },
        ]);
        fn(s => { s.seen.push(s.data.type, s.references.length); return s });
        fn(s => ({ data: s.seen }));
        """,
        FHIR,
        configuration=configuration(web),
    )
    assert finished.data == [
        "Auma", 1, "1", "new-1", "Observation", 201, "c-9", "transaction-response", 5,
    ]  # fmt: skip
    created = next(asked for asked in web.asked if asked.path.endswith("/Observation"))
    assert created.json["resourceType"] == "Observation"
    assert created.headers["content-type"] == "application/fhir+json"
    assert web.asked[1].query == {"family": "Okoth"}
    assert all(asked.path.startswith("/base/R4/") for asked in web.asked)


@pytest.mark.parametrize(
    ("source", "token", "status"),
    [("get('Patient/77')", "fhir-token-1", 404), ("get('Patient/1')", "expired-token-2", 401)],
)
def test_an_operation_outcome_is_the_steps_error(
    runs: Runs, web: Web, source: str, token: str, status: int
) -> None:
    changed = configuration(web) | {"access_token": token}
    finished = runs.job(source, FHIR, configuration=changed)
    assert finished.outcome.error_type == "AdaptorError"
    assert finished.error["details"]["statusCode"] == status
    assert "OperationOutcome" in str(finished.error["details"]["body"])
    assert token not in str(finished.bodies)


def test_absolute_addresses_are_refused_before_the_network(runs: Runs, web: Web) -> None:
    finished = runs.job(
        f"get('{web.address}/base/R4/Patient/1')", FHIR, configuration=configuration(web)
    )
    assert finished.outcome.reason == "fail"
    assert web.asked == []
