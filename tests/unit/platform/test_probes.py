"""Which step tests the connection of a credential."""

from __future__ import annotations

import pytest

from holdfast.model.json import JsonObject
from holdfast.platform.secrets.probes import Proof, probe_for

URL = "https://example.org/api"


@pytest.mark.parametrize(
    ("schema", "body", "used", "adaptor", "proof"),
    [
        ("http", {"baseUrl": URL}, [], "http", Proof.ANSWER),
        ("dhis2", {"hostUrl": URL}, ["http"], "dhis2", Proof.LOGIN),
        ("raw", {"baseUrl": URL}, ["common", "http"], "http", Proof.ANSWER),
        ("mysql", {"host": "db"}, [], "mysql", Proof.LOGIN),
        # the address of a kind that is not known; of one whose own key is missing
        ("kobotoolbox", {"baseURL": URL, "password": "x"}, [], "common", Proof.REACH),
        ("dhis2", {"url": URL}, [], "common", Proof.REACH),
    ],
)
def test_each_credential_gets_the_step_that_proves_most(
    schema: str, body: JsonObject, used: list[str], adaptor: str, proof: Proof
) -> None:
    found = probe_for(schema, body, used)
    assert found is not None
    assert (found.adaptor, found.proof) == (f"@openfn/language-{adaptor}", proof)
    assert URL not in found.code


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ("http", {"username": "ann"}),
        ("raw", {"token": "abc", "number": 1, "none": None}),
        ("raw", {"url": "http://[", "host": "example.org", "mail": "mailto:a@b"}),
        ("oauth", {"access_token": "x"}),
    ],
)
def test_nothing_is_offered_where_nothing_is_known(schema: str, body: JsonObject) -> None:
    assert probe_for(schema, body, ["googlesheets"]) is None


def test_a_key_with_quotes_stays_a_text_in_the_code() -> None:
    found = probe_for("raw", {'a"]; process.exit() //': URL}, [])
    assert found is not None
    assert 'configuration["a\\"]; process.exit() //"]' in found.code
