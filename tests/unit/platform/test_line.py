"""Who is next in the queue (`store/line.py`), whatever waits, is paused or has a limit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from holdfast.platform.store.lanes import Lane
from holdfast.platform.store.line import Head, Line, Room

PROJECTS = {"a": "p", "b": "p", "c": "q", "d": "q"}
limits = st.one_of(st.none(), st.integers(0, 3))


@dataclass
class Scene:
    """Runs that wait, oldest first, and how many of each workflow and project may start."""

    runs: list[Head]
    left: dict[str, int]


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    drawn = {key: draw(limits) for key in (*PROJECTS, "p", "q")}
    serial = draw(st.sampled_from([None, "a", "c"]))
    kinds = st.tuples(st.sampled_from(sorted(PROJECTS)), st.sampled_from(["default", "manual"]),
                      st.integers(0, 1))  # fmt: skip
    runs = [
        Head(str(number), number, "w", flow if flow == serial and queue == "default" else None,
             queue, priority, PROJECTS[flow], flow)
        for number, (flow, queue, priority) in enumerate(draw(st.lists(kinds, max_size=25)))
    ]  # fmt: skip
    return Scene(runs, {key: limit for key, limit in drawn.items() if limit is not None})


@given(scenes(), st.sets(st.integers(0, 24)))
def test_what_may_start_starts_once_the_oldest_first_and_within_limits(
    scene: Scene, vanished: set[int]
) -> None:
    """Some runs are gone when they are to be taken, as if another platform had them."""
    waiting, line, taken = list(scene.runs), Line(), list[Head]()
    room = Room(left=dict(scene.left))

    def look(lane: Lane) -> Head | None:
        return next((run for run in waiting if run.lane == lane), None)

    for run in waiting:
        line.came(run.lane)
    while (head := line.best(room, lambda _: 0, look)) is not None:
        assert look(head.lane) == head, "the oldest of its lane"
        waiting.remove(head)
        line.gone(head)
        if int(head.id) not in vanished:
            taken.append(head)
            room.took(head, len(taken))
    started = Counter(key for run in taken for key in (run.workflow_id, run.project_id))
    assert all(started[key] <= limit for key, limit in scene.left.items())
    serial = Counter(run.one_at_a_time for run in taken if run.one_at_a_time)
    assert all(count == 1 for count in serial.values())
    for run in waiting:  # a reason for each that waits, or for the one before it in its lane
        first = look(run.lane)
        assert first is not None
        full = any(started[k] == scene.left.get(k) for k in (run.workflow_id, run.project_id))
        assert full or first.one_at_a_time in serial


def test_projects_take_turns_and_queues_have_their_rank() -> None:
    runs = [
        Head("1", 1, "w", None, "default", 1, "p", "a"),
        Head("2", 2, "w", None, "default", 1, "q", "c"),
        Head("3", 3, "w", None, "manual", 0, "p", "b"),
    ]
    line, room = Line(), Room(turns={"p": 9, "q": 5})
    for run in runs:
        line.put(run)
    first = line.best(room, lambda _: 0, lambda _: None)
    assert first is not None
    assert first.id == "3", "a higher priority goes first"
    only = line.best(room, lambda queue: 0 if queue == "default" else None, lambda _: None)
    assert only is not None
    assert only.id == "2", "its project has waited longer"


def test_a_run_that_comes_back_may_be_older_than_the_head() -> None:
    old, new = (Head(str(n), n, "w", None, "default", 1, "p", "a") for n in (1, 2))
    line = Line()
    line.put(new)
    line.came(old.lane)
    assert line.best(Room(), lambda _: 0, lambda _: old) == new
    line.came(old.lane, again=True)
    assert line.best(Room(), lambda _: 0, lambda _: old) == old
