"""From evidence to outcome. Pure.

The run process is believed about what only it can know, such as which error a job raised. It is
never believed against the kernel. `_RULES` are tried in order; the first that fits decides.
Reasons, error types and the beginnings of messages are those of `docs/spec/worker-protocol.md`
section 6. Ends that the reference calls `ExitError` have types of their own here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from holdfast.model.evidence import Evidence, Loss, Stop
from holdfast.model.limits import MEBIBYTE
from holdfast.model.outcome import Outcome, Reason

_V8_MEMORY = re.compile(
    r"heap out of memory|process out of memory|Zone Allocation failed|"
    r"Array buffer allocation failed|OOM error in V8"
)
#: What C++ says when the system refuses memory outside of V8's heap.
_NATIVE_MEMORY = re.compile(r"instance of '(?:St9|std::)bad_alloc'")
#: What V8 says before it gives up, for whatever reason.
_LAST_WORDS = re.compile(r"^(?:# )?(F(?:atal|ATAL) .*)$", re.MULTILINE)
#: The line of a report of Node.js that names the error: its last line is only the version.
_NODE_ERROR = re.compile(r"^(?:Uncaught )?(\w*Error\b.*)$", re.MULTILINE)
#: V8's report is only proof when the run had used this share of its heap limit.
_PROOF_SHARE = 0.5
#: Node's exit codes (Node.js documentation, "Process exit codes").
_UNSETTLED_AWAIT = 13
#: Signals that only come from outside of the run.
_FROM_OUTSIDE = {"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"}
_CRASH_SIGNALS = {"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGABRT"}

_WHERE = {
    "compile": "while compiling",
    "load": "while loading",
    "step": "in",
    "serialise": "while writing out the state of",
}


def classify(evidence: Evidence) -> Outcome:
    """The outcome that these facts prove. Every evidence has one."""
    for rule in _RULES:
        outcome = rule(evidence)
        if outcome is not None:
            return outcome
    return _unknown(evidence)


def place_of(evidence: Evidence) -> str:
    """Where the run was, in words: `in step "x", operation 2`; empty when nothing is known."""
    place = evidence.place
    if place.phase is None:
        return ""
    words = _WHERE.get(place.phase, f"in phase {place.phase} of")
    step = place.name or place.step
    text = f'{words} step "{step}"' if step else words.removesuffix(" of")
    if text == "in":
        text = "in the workflow"
    return f"{text}, operation {place.operation}" if place.operation else text


def _outcome(evidence: Evidence, reason: Reason, kind: str | None, message: str | None) -> Outcome:
    return Outcome(reason, kind, message, evidence.to_json())


def _sentence(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _result(evidence: Evidence) -> Outcome | None:
    said = evidence.said_result
    if said is None:
        return None
    kind, message = said.get("error_type"), said.get("error_message")
    try:
        reason = Reason(str(said.get("reason")))
    except ValueError:
        return _outcome(
            evidence,
            Reason.CRASH,
            "ProtocolViolation",
            f"The run process gave a reason that does not exist: {said.get('reason')!r:.80}",
        )
    return _outcome(
        evidence,
        reason,
        None if kind is None else str(kind),
        None if message is None else str(message),
    )


def _is_oom(evidence: Evidence) -> bool:
    memory = evidence.memory
    if evidence.stop is Stop.MEMORY:
        return True
    return memory.oom_kills > 0 and memory.peak >= memory.limit * 0.95


def _out_of_memory(evidence: Evidence) -> Outcome | None:
    in_heap = _gave_up(evidence, _V8_MEMORY)
    if not (in_heap or _is_oom(evidence) or _gave_up(evidence, _NATIVE_MEMORY)):
        return None
    memory = evidence.memory
    limit = (memory.heap_limit if in_heap else memory.limit) // MEBIBYTE
    peak = round(memory.peak / MEBIBYTE)
    kind = "JavaScript objects" if in_heap else "all memory of the run"
    largest = evidence.notes.get("largest")
    text = _sentence(
        "Run exceeded maximum memory usage",
        place_of(evidence),
        f"(limit {limit} MB, peak {peak} MB, {kind}).",
        f"Largest known part: {largest}." if largest else "",
        _memory_advice(evidence),
    )
    return _outcome(evidence, Reason.KILL, "OOMError", text)


def _memory_advice(evidence: Evidence) -> str:
    phase = evidence.place.phase
    if phase == "compile":
        return "Move data that is embedded in the job's code to the input or to a collection."
    if phase == "load":
        return (
            "Its adaptors and the code outside its operations are loaded before anything runs: "
            "use fewer adaptors, move work into an operation, or ask for a higher memory limit."
        )
    if phase == "serialise":
        return "Return less from the step: keep in state only what the next step needs."
    return "Work on the data in smaller batches, and drop from state what is no longer needed."


def _gave_up(evidence: Evidence, words: re.Pattern[str]) -> bool:
    # As process 1 of its namespace it cannot abort: glibc then ends it with a forced SIGSEGV.
    if evidence.signal not in {"SIGABRT", "SIGTRAP", "SIGILL", "SIGSEGV"}:
        return False
    if not words.search(evidence.stderr_tail):
        return False
    # Anybody can print that text and abort; memory that was never used cannot be forged.
    memory = evidence.memory
    return memory.peak >= memory.heap_limit * _PROOF_SHARE


def _run_error(evidence: Evidence) -> Outcome | None:
    said = evidence.said_error
    if said is None:
        return None
    try:
        reason = Reason(str(said.get("severity") or "crash"))
    except ValueError:
        reason = Reason.CRASH
    if reason is Reason.SUCCESS:
        reason = Reason.CRASH
    message = said.get("error_message")
    return _outcome(
        evidence,
        reason,
        str(said.get("error_type") or "ExecutionError"),
        None if message is None else str(message),
    )


def _stopped(evidence: Evidence) -> Outcome | None:
    detail = evidence.stop_detail or ""
    where = place_of(evidence)
    table: dict[Stop, tuple[Reason, str, str]] = {
        Stop.TIMEOUT: (
            Reason.KILL,
            "TimeoutError",
            f"Workflow failed to return within {evidence.timeout_ms}ms"
            + (f"; it was {where}" if where else ""),
        ),
        Stop.CANCEL: (Reason.CANCEL, "Cancelled", detail or "The run was cancelled"),
        Stop.PROTOCOL: (
            Reason.CRASH,
            "ProtocolViolation",
            _sentence("The run process broke its protocol:", detail, where),
        ),
        Stop.JOURNAL: (
            Reason.KILL,
            "OutputLimitError",
            _sentence("Run wrote more logs and results than allowed", f"({detail}).", "Log less."),
        ),
        Stop.SCRATCH: (
            Reason.KILL,
            "DiskLimitError",
            _sentence("Run used more disk space than allowed", f"({detail})", where),
        ),
        Stop.SETUP: (
            Reason.EXCEPTION,
            "SetupError",
            _sentence("The run process could not be started:", detail),
        ),
        Stop.STORAGE: (
            Reason.EXCEPTION,
            "StorageError",
            _sentence("The worker could not write the run's journal:", detail),
        ),
    }
    entry = table.get(evidence.stop) if evidence.stop else None
    return None if entry is None else _outcome(evidence, *entry)


def _lost(evidence: Evidence) -> Outcome | None:
    if evidence.loss is Loss.HOST:
        text = "The machine that ran the workflow was started again; the run was interrupted"
        kind = "HostRestarted"
    elif evidence.loss is Loss.SHIM:
        text = "The process that watched over the run died; the run was stopped with it"
        kind = "ShimLost"
    else:
        return None
    return _outcome(evidence, Reason.EXCEPTION, kind, _sentence(text, place_of(evidence)))


def _never_began(evidence: Evidence) -> Outcome | None:
    """The engine ended before any code of the author was run, so that the author has no part."""
    code, name = evidence.exit_code, evidence.signal
    if evidence.process == "compiler" or name in _FROM_OUTSIDE or (code, name) == (None, None):
        return None
    if evidence.ready is not False and (code is None or evidence.place.phase is not None):
        return None
    how = f"with code: {code}" if code is not None else f"by {name}"
    said = evidence.stderr_tail.strip()
    words = _NODE_ERROR.search(said) or _LAST_WORDS.search(said)
    last = [words[1]] if words else said.splitlines()[-1:]
    text = _sentence(f"Node.js ended before the run began, {how}.", *(f"{x:.300}" for x in last))
    return _outcome(evidence, Reason.EXCEPTION, "EngineFailure", text)


def _signalled(evidence: Evidence) -> Outcome | None:
    name = evidence.signal
    if name is None:
        return None
    where = place_of(evidence)
    memory = evidence.memory
    if name == "SIGKILL" and memory.oom_kills > 0:
        used, limit = round(memory.peak / MEBIBYTE), memory.limit // MEBIBYTE
        text = f"The machine ran out of memory; the run used {used} MB of the {limit} MB it may"
        return _outcome(evidence, Reason.EXCEPTION, "HostOutOfMemory", _sentence(text, where))
    if name == "SIGXFSZ":
        text = "Run wrote a file larger than allowed"
        return _outcome(evidence, Reason.KILL, "DiskLimitError", _sentence(text, where))
    if name == "SIGSYS":
        text = "Run tried a system call that is forbidden"
        return _outcome(evidence, Reason.KILL, "SecurityError", _sentence(text, where))
    if name in _CRASH_SIGNALS:
        who = "The compiler" if evidence.process == "compiler" else "Node.js"
        said = _LAST_WORDS.search(evidence.stderr_tail)
        text = f"{who} crashed ({name})" + (f", saying: {said[1].strip():.200}" if said else "")
        return _outcome(evidence, Reason.CRASH, "EngineCrash", _sentence(text, where))
    text = f"The run process was ended from outside ({name})"
    return _outcome(evidence, Reason.EXCEPTION, "ExternalKill", _sentence(text, where))


def _exited(evidence: Evidence) -> Outcome | None:
    code = evidence.exit_code
    if code is None:
        return None
    where = place_of(evidence)
    if evidence.process == "compiler":
        text = _sentence(f"The compiler ended without a result, with code: {code}", where)
        return _outcome(evidence, Reason.EXCEPTION, "CompilerFailure", text)
    if code == _UNSETTLED_AWAIT:
        text = "The job waits for a promise that nothing can settle any more"
        return _outcome(evidence, Reason.CRASH, "DeadlockError", _sentence(text, where))
    text = _sentence(f"Process exited with code: {code}", where)
    return _outcome(evidence, Reason.CRASH, "ExitError", text)


def _unknown(evidence: Evidence) -> Outcome:
    text = "The run ended in a way that nothing explains; all that is known is in the evidence"
    return _outcome(evidence, Reason.EXCEPTION, "UnknownEnd", text)


_RULES: tuple[Callable[[Evidence], Outcome | None], ...] = (
    _result,
    _out_of_memory,
    _run_error,
    _stopped,
    _lost,
    _never_began,
    _signalled,
    _exited,
)
