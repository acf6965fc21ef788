"""What follows from the end of a run, in the transaction that ends it: a retry, and alerts."""

from __future__ import annotations

from holdfast.model.outcome import RunState
from holdfast.platform.store import alerts, retries
from holdfast.platform.store.database import Transaction


def ended(tx: Transaction, run_id: str, state: RunState, *, told: bool) -> None:
    """`told`: by its worker's word, so that all its steps are known."""
    retries.plan(tx, run_id, state, told=told)
    alerts.ended(tx, run_id, state)
