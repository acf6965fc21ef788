"""What becomes of claims: joined, returned to the queue, or given up.

Rules: `docs/spec/platform.md` 2.7 and 3.

A claim that was never joined goes back to the queue, as often as needed: nothing of the run has
been executed, so nothing can be done twice, and no run is lost for it. The claim's id changes,
so that a late join with the old token is refused.
"""

from __future__ import annotations

import json
from typing import Any

from holdfast.model.outcome import RunState
from holdfast.platform.store import runs
from holdfast.platform.store.database import Row, Transaction
from holdfast.platform.store.line import Line
from holdfast.platform.store.runs import find_run, note, transition
from holdfast.platform.workers.ends import ended

#: Why the platform gave a run up -> `error_type`.
LOST_TYPE = {
    RunState.CLAIMED.value: "LostAfterClaim",
    RunState.STARTED.value: "LostAfterStart",
}
REJECTED = "EventRejected"


def join_claim(tx: Transaction, run_id: str, claim_id: str, platform_id: str) -> bool:
    """The worker has come to this platform for the run. False: the claim is void by now."""
    if not runs.join(tx, run_id, claim_id, platform_id):
        return False
    tx.notify(f"run:{run_id}", "joined")
    return True


def return_claim(tx: Transaction, run_id: str, claim_id: str, why: str) -> bool:
    """Give an unjoined claim back to the queue. Says whether it was one."""
    run = find_run(tx.connection, run_id)
    if run is None or run.claim_id != claim_id or run.joined_at is not None:
        return False
    back = transition(
        tx,
        run,
        RunState.AVAILABLE,
        RunState.CLAIMED,
        claim_id=None,
        claim_expires_at=None,
        claimed_at=None,
        worker_id=None,
        worker_name=None,
        returns=run.returns + 1,
    )
    if back:
        note(tx, run_id, "returned to the queue", why=why, worker=run.worker_name or run.worker_id)
        lane = run.queue, run.priority, run.project_id, run.workflow_id
        tx.kept(Line).came(lane, again=True)
        tx.notify("queue", "available", run_id=run_id)
    return back


def give_up(tx: Transaction, run: Row, detector: str, **facts: Any) -> bool:
    """End a run whose worker has gone silent; its notes keep what was last known (3.6).

    It is `lost`, or `exception` when the platform itself had refused an event that mattered.
    """
    refused = _refusal(run.notes)
    state = RunState.EXCEPTION if refused else RunState.LOST
    message = (
        f"The platform refused {refused['event']}: {refused['error']}"
        if refused
        else _last_words(run, detector, tx.now)
    )
    done = transition(
        tx,
        run,
        state,
        RunState(run.state),
        error_type=REJECTED if refused else LOST_TYPE.get(run.state, "UnknownReason"),
        error_message=message,
        finished_at=tx.now,
        lost_at=tx.now,
    )
    if done:
        note(
            tx,
            run.id,
            "given up",
            detector=detector,
            last_event=run.last_event,
            last_event_at=run.last_event_at,
            worker_id=run.worker_id,
            worker_name=run.worker_name,
            **facts,
        )
        ended(tx, run.id, state, told=False)
    return done


def _refusal(notes: str | None) -> dict[str, str] | None:
    refusals = [item for item in json.loads(notes or "[]") if item["what"] == "refused"]
    return refusals[-1] if refusals else None


def _last_words(run: Row, detector: str, at: int) -> str:
    who = run.worker_name or run.worker_id or "an unknown worker"
    ago = (at - (run.last_event_at or at)) // 1_000_000
    return (
        f"No outcome was reported ({detector}). The last sign of the run was "
        f"'{run.last_event}' from worker {who}, {ago} s before."
    )
