"""Notes of a run: one kind takes no room from another, and what is left out is counted."""

from __future__ import annotations

import json

from holdfast.platform.store.runs import note
from support.platform import Store


def test_many_notes_of_one_kind_are_counted_and_push_out_none(store: Store) -> None:
    run_id = store.enqueue()
    store.write(lambda tx: note(tx, run_id, "recovered", was="lost"))
    for number in range(100):
        text = f"{number} {'x' * 5000}"
        store.write(lambda tx, error=text: note(tx, run_id, "refused", event="a", error=error))  # type: ignore[misc]
    store.write(lambda tx: note(tx, run_id, "refused", event="b", error="y"))
    notes = json.loads(store.run(run_id).notes)
    assert [item["what"] for item in notes] == ["recovered", *["refused"] * 21]
    assert [item["more"] for item in notes if "more" in item] == [80]
    assert notes[-1]["event"] == "b"
    assert len(json.dumps(notes)) < 30_000
