"""What a test of a credential's connection has found."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from holdfast.diagnosis.diagnose import diagnose
from holdfast.diagnosis.ending import Ending
from holdfast.platform.causes.verdict import Finding, Verdict, verdict
from holdfast.platform.secrets.probes import Proof
from holdfast.platform.store.database import Row


def given(state: str, *, proof: Proof = Proof.LOGIN, **known: Any) -> Verdict:
    whole = {"postmortem": None, "spans": None, "error_type": None, "error_message": None} | known
    return verdict(cast("Row", SimpleNamespace(state=state, **whole)), proof.value)


def failed(**facts: Any) -> Verdict:
    """A run that its worker has diagnosed."""
    end = Ending("fail", "AdaptorError", "Error: it failed", **facts)
    made = diagnose(end)
    assert made is not None
    return given("failed", postmortem=json.dumps({"diagnosis": made.to_json()}))


@pytest.mark.parametrize("state", ["available", "claimed", "started"])
def test_a_test_without_an_end_says_nothing_yet(state: str) -> None:
    assert given(state) == Verdict(Finding.PENDING)


@pytest.mark.parametrize(
    ("proof", "finding"),
    [
        (Proof.LOGIN, Finding.ACCEPTED),
        (Proof.ANSWER, Finding.ANSWERED),
        (Proof.REACH, Finding.REACHED),
    ],
)
def test_a_success_says_only_what_its_step_proves(proof: Proof, finding: Finding) -> None:
    spans = json.dumps({"requests": [{"status": 302}, {"status": 200}, {"fate": "failed"}]})
    found = given("success", proof=proof, spans=spans)
    assert (found.finding, found.status, found.good) == (finding, 200, True)


@pytest.mark.parametrize(
    ("cause", "finding"),
    [
        ({"code": "EACCES", "syscall": "connect"}, Finding.REFUSED_BY_POLICY),
        ({"code": "ENOTFOUND", "hostname": "x.invalid"}, Finding.NO_SUCH_NAME),
        ({"code": "DEPTH_ZERO_SELF_SIGNED_CERT"}, Finding.CERTIFICATE),
        ({"code": "ECONNREFUSED"}, Finding.NOTHING_LISTENS),
        ({"code": "ECONNRESET"}, Finding.BROKE_OFF),
        ({"code": "UND_ERR_CONNECT_TIMEOUT"}, Finding.TOO_SLOW),
        ({"message": "Invalid URL"}, Finding.NOT_AN_ADDRESS),
        ({"statusCode": 401}, Finding.NOT_ALLOWED),
        ({"statusCode": 403}, Finding.NOT_ALLOWED),
        ({"statusCode": 404}, Finding.NOT_FOUND),
        ({"statusCode": 429}, Finding.FAILED_THERE),
        ({"statusCode": 500}, Finding.FAILED_THERE),
        ({"message": "something of its own"}, Finding.OTHER),
    ],
)
def test_a_failure_is_told_by_its_cause(cause: dict[str, Any], finding: Finding) -> None:
    found = failed(facts={"causes": [cause]}, refused=(("10.0.0.1:80", "public"),))
    assert (found.finding, found.good) == (finding, False)
    assert found.cause is not None
    assert found.cause.what


@pytest.mark.parametrize(
    ("state", "error_type", "finding"),
    [
        ("killed", "TimeoutError", Finding.TOO_SLOW),
        ("exception", "CredentialLoadError", Finding.INCOMPLETE),
        ("exception", "AutoinstallError", Finding.NO_ADAPTOR),
        ("cancelled", "Cancelled", Finding.CANCELLED),
        ("lost", "LostAfterStart", Finding.OTHER),
    ],
)
def test_a_worker_that_diagnoses_nothing_is_understood(
    state: str, error_type: str, finding: Finding
) -> None:
    assert given(state, error_type=error_type, error_message="it failed").finding is finding


@pytest.mark.parametrize("spans", ["[]", '{"requests": 1}', '{"requests": [1, {"status": "x"}]}'])
def test_strange_spans_have_no_status(spans: str) -> None:
    assert given("success", spans=spans).status is None
