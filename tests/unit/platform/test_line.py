"""Who is next in the queue (`store/line.py`), whatever waits, is paused or has a limit."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from holdfast.platform.store.line import Head, Line

FLOWS, PROJECTS = ["a", "b", "c", "d"], {"a": "p", "b": "p", "c": "q", "d": "q"}
limits = st.one_of(st.none(), st.integers(1, 3))


@st.composite
def waiting(draw: st.DrawFn) -> list[Head]:
    """Runs of some workflows, oldest first."""
    own = {flow: (draw(limits), draw(st.sampled_from([None, None, 1]))) for flow in FLOWS}
    whole = {project: draw(limits) for project in ("p", "q")}
    serial = draw(st.sampled_from([None, "a", "c"]))
    kinds = st.tuples(st.sampled_from(FLOWS), st.sampled_from(["default", "manual"]),
                      st.integers(0, 1))  # fmt: skip
    found = []
    for number, (flow, queue, priority) in enumerate(draw(st.lists(kinds, max_size=25))):
        one = flow if flow == serial and queue == "default" else None
        found.append(Head(str(number), number, "w", one, queue, priority, PROJECTS[flow], flow,
                          *own[flow], whole[PROJECTS[flow]]))  # fmt: skip
    return found


@given(waiting())
def test_everything_that_may_start_starts_once_and_no_limit_is_exceeded(runs: list[Head]) -> None:
    left = list(runs)
    heads = {run.lane: run for run in reversed(left)}
    line = Line(heads, {}, {}, set(), {})
    taken = list[Head]()

    def behind(gone: Head) -> Head | None:
        return next((run for run in left if run.lane == gone.lane), None)

    while (head := line.best(lambda queue: 0, behind)) is not None:
        assert all(run.lane != head.lane for run in left[: left.index(head)]), "the oldest first"
        left.remove(head)
        taken.append(head)
        line.took(head, len(taken))
    flows, projects = (
        Counter(run.workflow_id for run in taken),
        Counter(run.project_id for run in taken),
    )
    for run in runs:
        assert flows[run.workflow_id] <= (run.concurrency or 99)
        assert projects[run.project_id] <= (run.project_concurrency or 99)
    assert not any(run.paused_at for run in taken)
    assert max(Counter(filter(None, (run.one_at_a_time for run in taken))).values(), default=0) < 2
    for run in left:  # a reason for each that waits, or for the one before it in its lane
        first = next(other for other in left if other.lane == run.lane)
        assert (
            first.paused_at
            or flows[run.workflow_id] == first.concurrency
            or projects[run.project_id] == first.project_concurrency
            or any(first.one_at_a_time == other.one_at_a_time for other in taken)
        )


def test_projects_take_turns_and_queues_have_their_rank() -> None:
    runs = [
        Head("1", 1, "w", None, "default", 1, "p", "a", None, None, None),
        Head("2", 2, "w", None, "default", 1, "q", "c", None, None, None),
        Head("3", 3, "w", None, "manual", 0, "p", "b", None, None, None),
    ]
    line = Line({run.lane: run for run in runs}, {}, {}, set(), {"p": 9, "q": 5})
    by_age = line.best(lambda queue: 0, lambda head: None)
    assert by_age is not None
    assert by_age.id == "3", "a higher priority goes first"
    only = line.best(lambda queue: 0 if queue == "default" else None, lambda head: None)
    assert only is not None
    assert only.id == "2", "its project has waited longer"
