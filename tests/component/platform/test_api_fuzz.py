"""Requests that schemathesis makes of the API's description: none ends in a fault of ours.

`make api-fuzz` sends more of them (`HOLDFAST_REQUESTS`), to a platform that takes any number a
second. To draw a case takes longer than to answer it, so mixtures of path, query and body of the
cases before follow each. A run says its seed; `HOLDFAST_SEED` repeats it.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
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
#: Mixtures that are sent after each case.
MIXED = 4 if REQUESTS else 0
#: What a mixture takes from one case.
PARTS = (("path_parameters",), ("query",), ("body", "media_type"))
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


@dataclass
class Attack:
    """Sends cases, and keeps what went wrong."""

    served: Served
    random: Random
    told: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    session: requests.Session = field(default_factory=requests.Session)

    def send(self, case: Any) -> None:
        """One request. An error must be a problem detail, and no fault of ours."""
        # a connection of its own for each: one that is kept may be closed as a request is sent
        headers = {
            "authorization": f"Bearer {self.served.platform.keys.admin_token}",
            "connection": "close",
        }
        answer = case.call(
            base_url=self.served.url, session=self.session, headers=headers, timeout=120
        )
        self.told[answer.status_code] += 1
        problem = answer.status_code >= 400 and case.operation.path.startswith("/api/")
        if answer.status_code >= 500 or (
            problem and answer.json()["status"] != answer.status_code
        ):
            self.wrong.append(f"{answer.status_code}: {answer.text}\n{case.as_curl_command()}")

    def at(self, operation: Any, known: dict[str, str], mode: GenerationMode, most: int) -> None:
        """Cases of an operation, and mixtures of their parts."""
        seen: dict[tuple[str, ...], list[list[Any]]] = {names: [] for names in PARTS}

        def strike(case: Any) -> None:
            self.send(case)
            for names, values in seen.items():
                values.append([getattr(case, name) for name in names])
            for _ in range(MIXED):
                for names, values in seen.items():
                    for name, value in zip(names, self.random.choice(values), strict=True):
                        setattr(case, name, value)
                self.send(case)

        limits = settings(
            max_examples=most, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries that make the cases
            number = self.random.getrandbits(32)
            limits(seed(number)(given(cases(operation, known, mode))(strike)))()


def operations_of(served: Served) -> list[Any]:
    """All operations that the platform describes."""
    document = served.client.get("/api/openapi.json").json()
    for operation in (one for methods in document["paths"].values() for one in methods.values()):
        operation.pop("security", None)  # else it makes tokens of its own
    found = list(schemathesis.openapi.from_dict(document).get_all_operations())
    assert all(isinstance(one, Ok) for one in found), found
    return [one.ok() for one in found if isinstance(one, Ok)]


def test_no_request_ends_in_a_fault(open_platform: Served) -> None:
    number = int(os.environ.get("HOLDFAST_SEED") or Random().getrandbits(32))
    sys.stdout.write(f"HOLDFAST_SEED={number}\n")
    attack, known = Attack(open_platform, Random(number)), known_ids(open_platform)
    operations = operations_of(open_platform)
    if not REQUESTS:
        operations = attack.random.sample(operations, 20)
    # every text is a good id: only a query or a body can be wrong
    modes = {
        op.label: _MODES if list(op.query) or list(op.body) else _MODES[:1] for op in operations
    }
    pairs = [(op, mode) for op in operations for mode in modes[op.label]]
    if not REQUESTS:
        pairs = [(op, attack.random.choice(modes[op.label])) for op in operations]
    each = max(1, -(-REQUESTS // len(pairs) // (MIXED + 1)))
    started = time.monotonic()
    for operation, mode in pairs:
        try:
            attack.at(operation, known, mode, min(each, FEW.get(operation.label, each)))
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, operation.label
        if REQUESTS:
            sys.stdout.write(f"{attack.told.total()} {operation.label} {mode.value}\n")
    attack.session.close()
    seconds = time.monotonic() - started
    told = dict(sorted(attack.told.items()))
    sys.stdout.write(f"{attack.told.total()} requests in {seconds:.0f} s: {told}\n")
    assert attack.wrong == [], f"HOLDFAST_SEED={number}\n" + "\n".join(attack.wrong[:20])
    assert attack.told.total() >= 10
