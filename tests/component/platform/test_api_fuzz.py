"""Requests that schemathesis makes of the API's description: none ends in a fault of ours.

`make api-fuzz` sends more of them (`HOLDFAST_REQUESTS`), to a platform that takes any number a
second. A run says its seed; `HOLDFAST_SEED` repeats it.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy, one_of
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from support.platform import FETCH, TRIGGER, Served

#: Requests in all; the suite sends one to each of a few operations.
REQUESTS = int(os.environ.get("HOLDFAST_REQUESTS", "0"))
#: A new encryption key for each request would only make all others slow.
FEW = {"POST /api/keys/rotate": 10}
_MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@pytest.fixture(scope="module")
def open_platform(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("fuzz") / "data"
    shutil.copytree(made, data)
    with Served(data, requests_per_second=1e6, webhooks_per_second=1e6) as served:
        served.deploy()
        yield served


def known_ids(served: Served) -> dict[str, str]:
    """What there is, by the part of a path that comes before its id."""
    client = served.client
    project = client.get("/api/provision/demo").json()["data"]
    served.deploy({**project, "collections": [{"name": "codes"}]})
    values = {"name": "hapi", "body": {"password": "a-secret"}}
    credential = client.post("/api/projects/demo/credentials", json=values).json()["data"]
    chain = {"name": "clinic", "path": "$.clinic"}
    keychain = client.post("/api/projects/demo/keychains", json=chain).json()["data"]
    run = client.get(f"/api/runs/{served.post()}").json()["data"]
    related = run["relationships"]
    return {
        "projects": "demo", "provision": project["id"], "jobs": FETCH, "runs": run["id"],
        "workflows": project["workflows"][0]["id"], "credentials": credential["id"],
        "keychains": keychain["id"], "dataclips": related["dataclip"]["data"]["id"],
        "work_orders": related["work_order"]["data"]["id"], "collections": "codes", "i": TRIGGER,
        "webhook_keys": "key", "credential_schemas": "raw",
    }  # fmt: skip


def cases(operation: Any, known: dict[str, str], mode: GenerationMode) -> SearchStrategy[Any]:
    """Cases of an operation: with any ids, and with those that there are."""
    parts = operation.path.split("/")
    given_ids = {
        part.strip("{}"): known[before]
        for before, part in pairwise(parts)
        if part.startswith("{") and before in known
    }
    anything: SearchStrategy[Any] = operation.as_strategy(generation_mode=mode)
    if not given_ids:
        return anything
    return one_of(anything, operation.as_strategy(generation_mode=mode, path_parameters=given_ids))


def test_no_request_ends_in_a_fault(open_platform: Served) -> None:
    number = int(os.environ.get("HOLDFAST_SEED") or Random().getrandbits(32))
    sys.stdout.write(f"HOLDFAST_SEED={number}\n")
    random = Random(number)
    served, known = open_platform, known_ids(open_platform)
    document = served.client.get("/api/openapi.json").json()
    for operation in (one for methods in document["paths"].values() for one in methods.values()):
        operation.pop("security", None)  # else it makes tokens of its own
    described = schemathesis.openapi.from_dict(document)
    operations = []
    for found in described.get_all_operations():
        assert isinstance(found, Ok), found
        operations.append(found.ok())
    if not REQUESTS:
        operations = random.sample(operations, 20)
    each = max(1, REQUESTS // len(operations) // len(_MODES))
    told: Counter[int] = Counter()
    wrong: list[str] = []
    session = requests.Session()
    # a connection of its own for each: one that is kept may be closed as a request is sent
    authorization = {
        "authorization": f"Bearer {served.platform.keys.admin_token}",
        "connection": "close",
    }

    def send(case: Any) -> None:
        answer = case.call(base_url=served.url, session=session, headers=authorization, timeout=60)
        told[answer.status_code] += 1
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)
        if answer.status_code >= 400 and case.operation.path.startswith("/api/"):
            assert answer.json()["status"] == answer.status_code

    started = time.monotonic()
    for operation in operations:
        name = f"{operation.method.upper()} {operation.path}"
        # every text is a good id: only a query or a body can be wrong
        modes = _MODES if list(operation.query) or list(operation.body) else _MODES[:1]
        for mode in modes if REQUESTS else [random.choice(modes)]:
            try:
                examples = settings(
                    max_examples=min(each, FEW.get(name, each)), database=None, deadline=None,
                    suppress_health_check=list(HealthCheck),
                    phases=[Phase.generate, Phase.shrink],
                )  # fmt: skip
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of libraries that make the cases
                    examples(seed(number)(given(cases(operation, known, mode))(send)))()
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE, name
            except Exception as error:
                causes = error.exceptions if isinstance(error, ExceptionGroup) else [error]
                wrong += [f"{name}: {type(one).__name__}: {one}"[:2000] for one in causes]
    session.close()
    seconds = time.monotonic() - started
    sys.stdout.write(f"{told.total()} requests in {seconds:.0f} s: {dict(sorted(told.items()))}\n")
    assert wrong == [], f"HOLDFAST_SEED={number}\n" + "\n".join(wrong)
    assert told.total() >= 10
