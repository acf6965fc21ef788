"""Every ending has its own true outcome, and nothing is unknown that has a cause."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.classify import classify
from holdfast.model.evidence import Evidence, Loss, Memory, Place, Stop
from holdfast.model.json import JsonObject
from holdfast.model.limits import MEBIBYTE
from holdfast.model.outcome import Outcome, Reason

STEP = Place("step", "a", 2)
FULL = Memory(100 * MEBIBYTE, 100 * MEBIBYTE, "cgroup-v1", 1, 60 * MEBIBYTE)
HALF = Memory(100 * MEBIBYTE, 50 * MEBIBYTE, "cgroup-v1", 1, 60 * MEBIBYTE)
IDLE = Memory(100 * MEBIBYTE, 20 * MEBIBYTE, "cgroup-v1", 0, 60 * MEBIBYTE)
HEAP = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"
COMPILING = Place("compile", "a", None, "Only")
#: What Node.js says when a file is missing.
NOT_FOUND = """node:internal/modules/cjs/loader:1478
  throw err;
  ^

Error: Cannot find module '/data/program/load.cjs'
    at node:internal/main/run_main_module:36:49 {
  code: 'MODULE_NOT_FOUND',
  requireStack: []
}

Node.js v24.11.1
"""
STARTLESS = ("exception", "EngineFailure", "with code: 1. Error: Cannot find module '/data")
RESULT: JsonObject = {"reason": "success", "error_type": None, "error_message": None}
ERROR: JsonObject = {"error_type": "ExitError", "error_message": "left", "severity": "crash"}


@pytest.mark.parametrize(
    ("evidence", "reason", "kind", "words"),
    [
        (Evidence(said_result=RESULT, exit_code=0), "success", None, ""),
        (Evidence(said_error=ERROR, exit_code=0), "crash", "ExitError", "left"),
        (Evidence(memory=FULL, signal="SIGKILL", place=STEP), "kill", "OOMError", 'step "a"'),
        (Evidence(memory=FULL, signal="SIGKILL", said_error=ERROR), "kill", "OOMError", "peak"),
        (Evidence(memory=HALF, signal="SIGABRT", stderr_tail=HEAP), "kill", "OOMError", "Java"),
        (Evidence(memory=IDLE, signal="SIGABRT", stderr_tail=HEAP), "crash", "EngineCrash", ""),
        (Evidence(memory=HALF, signal="SIGKILL"), "exception", "HostOutOfMemory", "machine"),
        (Evidence(memory=IDLE, signal="SIGKILL"), "exception", "ExternalKill", "SIGKILL"),
        (Evidence(signal="SIGTERM"), "exception", "ExternalKill", "SIGTERM"),
        (Evidence(signal="SIGXFSZ"), "kill", "DiskLimitError", "file"),
        (Evidence(signal="SIGSYS"), "kill", "SecurityError", "system call"),
        (Evidence(signal="SIGSEGV"), "crash", "EngineCrash", "Node.js"),
        (Evidence(signal="SIGSEGV", process="compiler"), "crash", "EngineCrash", "compiler"),
        (Evidence(exit_code=13, place=STEP), "crash", "DeadlockError", "promise"),
        (Evidence(exit_code=3, place=STEP), "crash", "ExitError", "Process exited with code: 3"),
        (Evidence(exit_code=9, stderr_tail="bad option"), "exception", "EngineFailure", "bad"),
        (Evidence(exit_code=1, ready=False, place=COMPILING, stderr_tail=NOT_FOUND), *STARTLESS),
        (Evidence(signal="SIGSEGV", ready=False, place=COMPILING), *STARTLESS[:2], "by SIGSEGV"),
        (Evidence(signal="SIGSYS", ready=False), "exception", "EngineFailure", "by SIGSYS"),
        (Evidence(signal="SIGTERM", ready=False), "exception", "ExternalKill", "SIGTERM"),
        (Evidence(signal="SIGKILL", ready=False, memory=HALF), "exception", "HostOutOfMemory", ""),
        (
            Evidence(signal="SIGABRT", ready=False, memory=HALF, stderr_tail=HEAP),
            "kill",
            "OOMError",
            "",
        ),
        (Evidence(stop=Stop.TIMEOUT, signal="SIGKILL", ready=False), "kill", "TimeoutError", ""),
        (
            Evidence(exit_code=1, process="compiler", ready=False),
            "exception",
            "CompilerFailure",
            "",
        ),
        (Evidence(exit_code=3, ready=True, place=STEP), "crash", "ExitError", "code: 3"),
        (Evidence(exit_code=1, process="compiler"), "exception", "CompilerFailure", "code: 1"),
        (Evidence(stop=Stop.TIMEOUT, timeout_ms=50), "kill", "TimeoutError", "within 50ms"),
        (Evidence(stop=Stop.CANCEL), "cancel", "Cancelled", ""),
        (Evidence(stop=Stop.MEMORY, memory=IDLE), "kill", "OOMError", ""),
        (Evidence(stop=Stop.PROTOCOL), "crash", "ProtocolViolation", ""),
        (Evidence(stop=Stop.JOURNAL), "kill", "OutputLimitError", ""),
        (Evidence(stop=Stop.SCRATCH), "kill", "DiskLimitError", ""),
        (Evidence(stop=Stop.SETUP), "exception", "SetupError", ""),
        (Evidence(stop=Stop.STORAGE), "exception", "StorageError", ""),
        (Evidence(loss=Loss.SHIM), "exception", "ShimLost", ""),
        (Evidence(loss=Loss.HOST), "exception", "HostRestarted", ""),
        (Evidence(loss=Loss.HOST, said_result=RESULT), "success", None, ""),
        (Evidence(), "exception", "UnknownEnd", "evidence"),
    ],
)
def test_ending(evidence: Evidence, reason: str, kind: str | None, words: str) -> None:
    outcome = classify(evidence)
    assert (outcome.reason.value, outcome.error_type) == (reason, kind)
    assert words in (outcome.error_message or "")


def test_the_phase_is_told() -> None:
    for phase, words in [("compile", "while compiling"), ("load", "while loading"),
                         ("serialise", "while writing out")]:  # fmt: skip
        text = classify(Evidence(memory=FULL, place=Place(phase, "a"))).error_message
        assert words in str(text)


evidences = st.builds(
    Evidence,
    stop=st.none() | st.sampled_from(Stop),
    loss=st.none() | st.sampled_from(Loss),
    process=st.sampled_from([None, "compiler", "engine"]),
    exit_code=st.none() | st.integers(0, 255),
    ready=st.none() | st.booleans(),
    signal=st.none() | st.sampled_from(["SIGKILL", "SIGSEGV", "SIGABRT", "SIGTERM", "SIG40"]),
    memory=st.sampled_from([FULL, HALF, IDLE, Memory()]),
    place=st.sampled_from([STEP, Place(), Place("odd")]),
    said_result=st.none() | st.dictionaries(st.text(max_size=9), st.text(max_size=9), min_size=1),
    said_error=st.none() | st.dictionaries(st.text(max_size=9), st.text(max_size=9), min_size=1),
    stderr_tail=st.sampled_from(["", HEAP]),
)


@given(evidences)
def test_every_evidence_has_an_outcome_that_can_be_kept(evidence: Evidence) -> None:
    outcome = classify(evidence)
    assert isinstance(outcome.reason, Reason)
    assert Outcome.from_json(cast("JsonObject", outcome.body("1"))) == outcome
    assert Evidence.from_json(evidence.to_json()) == evidence


@given(evidences)
def test_unknown_only_without_any_fact(evidence: Evidence) -> None:
    if classify(evidence).error_type == "UnknownEnd":
        assert evidence.exit_code is None
        assert evidence.signal is None
        assert evidence.stop in (None, Stop.LINGERED)


@pytest.mark.parametrize("signal", ["SIGSEGV", "SIGABRT"])
def test_memory_that_is_refused_outside_of_the_heap_is_told_as_memory(signal: str) -> None:
    said = (
        "terminate called after throwing an instance of 'St9bad_alloc'\n  what():  std::bad_alloc"
    )
    half = replace(HALF, oom_kills=0, means="sampling")
    full = Evidence(process="engine", signal=signal, memory=half, stderr_tail=said, place=STEP)
    outcome = classify(full)
    assert outcome.error_type == "OOMError"
    assert "all memory of the run" in (outcome.error_message or "")
    assert classify(replace(full, memory=IDLE)).error_type == "EngineCrash", "forged"
