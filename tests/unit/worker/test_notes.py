"""Notes of a delivery: what steers it is kept, the rest is counted."""

from __future__ import annotations

from holdfast.model.json import JsonObject
from holdfast.worker.outbox.notes import EACH, NoteBudget

LINE: JsonObject = {"what": "refused", "event": "run:log", "why": "x"}


def test_many_notes_of_one_kind_become_few_and_a_number() -> None:
    budget = NoteBudget()
    kept = budget.admitted([LINE] * 200_000)
    assert EACH < len(kept) < EACH + 20
    assert kept[:EACH] == [LINE] * EACH
    assert kept[-1] == {**LINE, "count": 131_072}
    assert budget.totals() == [
        {"what": "counted", "kind": "refused", "event": "run:log", "count": 200_000}
    ]


def test_one_kind_takes_no_room_from_another() -> None:
    budget = NoteBudget()
    budget.admitted([LINE] * 1000)
    other: JsonObject = {"what": "unreadable", "why": "record 7"}
    assert budget.admitted([other]) == [other]


def test_every_note_that_steers_the_delivery_is_kept() -> None:
    step: JsonObject = {"what": "refused", "event": "step:start", "step_id": "s"}
    assert len(NoteBudget().admitted([step] * 1000)) == 1000
