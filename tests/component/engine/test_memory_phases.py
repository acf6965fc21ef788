"""Out of memory in the phases around the job, with real processes: the message says where."""

from __future__ import annotations

from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from support.engine import Ended, Running, run


def phase_of(ended: Ended) -> object:
    place = ended.evidence["place"]
    assert isinstance(place, dict)
    return place["phase"]


def test_while_loading(running: Running) -> None:
    grow = "const kept = []; while (true) kept.push(Array.from({ length: 1000 }, Object));"
    ended = run(running, f"{grow} export default [];", options={"compile": False})
    message = str(ended.outcome.error_message)
    assert (ended.outcome.reason, ended.outcome.error_type) == (Reason.KILL, "OOMError")
    assert 'while loading step "A"' in message
    assert "outside its operations" in message
    assert phase_of(ended) == "load"


def test_while_writing_out_a_state_that_shares_its_parts(running: Running) -> None:
    # In memory one row stands 3,000 times for itself; written out it is 3,000 rows.
    rows = "const row = Array.from({ length: 2000 }, (_, i) => ({ i }));"
    code = f"export default [() => {{ {rows} return {{ data: Array(3000).fill(row) }}; }}];"
    ended = run(running, code, options={"compile": False})
    message = str(ended.outcome.error_message)
    assert (ended.outcome.reason, ended.outcome.error_type) == (Reason.KILL, "OOMError")
    assert 'while writing out the state of step "A"' in message
    assert "Return less from the step" in message
    assert phase_of(ended) == "serialise"
    assert ended.bodies(Kind.STEP_COMPLETE)[-1]["error_type"] == "OOMError"


def test_a_state_over_its_own_limit_is_told_before_memory_ends(running: Running) -> None:
    code = "export default [() => ({ data: Array(300).fill('x'.repeat(1 << 20)) })];"
    ended = run(running, code, options={"compile": False})
    assert (ended.outcome.reason, ended.outcome.error_type) == (Reason.KILL, "StateTooLargeError")
    assert phase_of(ended) == "serialise"
