"""`language-openmrs` against a canned OpenMRS server: REST and FHIR sides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.adaptors import OPENMRS
from support.runs import Runs
from support.web import Answer, Asked, Web, serve_web

REST = "/ws/rest/v1"
TOTAL = 7
PAGE = 3


def uuids(first: int, count: int) -> list[dict[str, Any]]:
    last = min(first + count, TOTAL)
    return [{"uuid": f"uuid-{n}", "display": f"Patient {n}"} for n in range(first, last)]


class OpenMrs:
    """Seven patients, read in pages of three."""

    def __init__(self) -> None:
        self.address = ""

    def __call__(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != "Basic YWRtaW46QWRtaW4xMjM=":
            return Answer({"error": {"message": "not logged in", "detail": "long stack"}}, 401)
        if asked.path.startswith("/ws/fhir2/R4/"):
            return self.fhir(asked)
        parts = asked.path.removeprefix(REST).strip("/").split("/")
        if asked.method == "DELETE":
            return Answer(None, 204)
        if asked.method == "POST":
            status = 200 if len(parts) > 1 else 201
            return Answer({"uuid": parts[1] if len(parts) > 1 else "new", **asked.json}, status)
        if len(parts) > 1:
            known = parts[1].startswith("uuid-")
            return Answer({"uuid": parts[1]} if known else {"error": {}}, 200 if known else 404)
        return self.search(asked)

    def search(self, asked: Asked) -> Answer:
        query = asked.query
        if query.get("identifier"):
            found = uuids(1, 1) if query["identifier"] == "known" else []
            return Answer({"results": found})
        if "q" not in query:
            return Answer({"error": {"message": "no query"}}, 400)
        first = int(query.get("startIndex", 0))
        count = min(int(query.get("limit", PAGE)), PAGE)
        results = uuids(first, count)
        links = [{"rel": "next"}] if first + len(results) < TOTAL else []
        return Answer({"results": results, "links": links})

    def fhir(self, asked: Asked) -> Answer:
        offset = int(asked.query.get("_getpagesoffset", 0))
        entries = [{"resource": {"id": str(n)}} for n in range(offset, min(offset + 2, 5))]
        bundle: dict[str, Any] = {"resourceType": "Bundle", "entry": entries, "link": []}
        if offset + 2 < 5:
            url = f"http://elsewhere/ws/fhir2/R4?_getpagesoffset={offset + 2}"
            bundle["link"].append({"relation": "next", "url": url})
        return Answer(bundle)


@pytest.fixture
def web() -> Iterator[Web]:
    with serve_web(OpenMrs()) as running:
        yield running


def configuration(web: Web) -> dict[str, str]:
    return {"instanceUrl": web.address, "username": "admin", "password": "Admin123"}


def test_search_follows_pages_and_reads_one(runs: Runs, web: Web) -> None:
    finished = runs.job(
        """
        get('patient', { query: 'Patient', pageSize: 3 });
        fn(s => ({ ...s, all: s.data.map(p => p.uuid) }));
        get('patient', { query: 'Patient', max: 2 });
        fn(s => ({ ...s, two: s.data.length }));
        get('patient/uuid-5', { singleton: true });
        fn(s => ({ data: [s.all, s.two, s.data.uuid] }));
        """,
        OPENMRS,
        configuration=configuration(web),
    )
    everyone, two, one = finished.data
    assert two == 2
    assert one == "uuid-5"
    # The adaptor counts from 1 after its first page (openmrs 5.5.0), so one record is read past.
    assert everyone[:PAGE] == [f"uuid-{n}" for n in range(PAGE)]
    assert everyone[-1] == f"uuid-{TOTAL - 1}"
    assert [asked.query.get("startIndex") for asked in web.asked[:2]] == [None, "4"]


def test_create_update_upsert_and_destroy(runs: Runs, web: Web) -> None:
    finished = runs.job(
        """
        fn(s => ({ ...s, seen: [], name: 'Ann' }));
        create('patient', s => ({ name: s.name }));
        fn(s => { s.seen.push(s.data.uuid); return s });
        update('patient/uuid-1', { age: 30 });
        fn(s => { s.seen.push(s.data.uuid); return s });
        upsert('patient', { age: 31 }, { identifier: 'known' });
        fn(s => { s.seen.push(s.data.uuid); return s });
        upsert('patient', { age: 32 }, { identifier: 'unknown' });
        fn(s => { s.seen.push(s.data.uuid); return s });
        destroy('patient/uuid-2', { purge: true });
        fn(s => ({ data: s.seen }));
        """,
        OPENMRS,
        configuration=configuration(web),
    )
    assert finished.data == ["new", "uuid-1", "uuid-1", "new"]
    posted = [(asked.path, asked.json) for asked in web.asked if asked.method == "POST"]
    assert posted == [
        (f"{REST}/patient", {"name": "Ann"}),
        (f"{REST}/patient/uuid-1", {"age": 30}),
        (f"{REST}/patient/uuid-1", {"age": 31}),
        (f"{REST}/patient", {"age": 32}),
    ]
    last = web.asked[-1]
    assert (last.method, last.path, last.query) == (
        "DELETE", f"{REST}/patient/uuid-2", {"purge": "true"},
    )  # fmt: skip


def test_the_fhir_side_follows_its_pages(runs: Runs, web: Web) -> None:
    finished = runs.job(
        "fhir.get('Patient', { count: 2 }); fn(s => ({ data: s.data.entry.length }))",
        OPENMRS,
        configuration=configuration(web),
    )
    assert finished.data == 5
    assert web.asked[0].query["_count"] == "2"
    assert [asked.query.get("_getpagesoffset") for asked in web.asked] == [None, "2", "4"]


@pytest.mark.parametrize(
    ("source", "changes", "status", "words"),
    [
        ("get('patient')", {}, 400, "expect a query"),
        ("get('patient', { query: 'x' })", {"password": "wr0ng-pass"}, 401, "not logged in"),
    ],
)
def test_refusals_are_explained(
    runs: Runs, web: Web, source: str, changes: dict[str, str], status: int, words: str
) -> None:
    finished = runs.job(source, OPENMRS, configuration=configuration(web) | changes)
    assert finished.outcome.error_type == "AdaptorError"
    assert finished.error["details"]["statusCode"] == status
    assert words in str(finished.error["details"])
    assert "wr0ng-pass" not in str(finished.bodies)
