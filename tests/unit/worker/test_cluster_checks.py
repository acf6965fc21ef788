"""The checks of chaos in a cluster on made-up observations: each breach is noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chaos.ledger import Blow, Ledger
from cluster.checks import Stored, problems

LINES = tuple(f"run 1 line {n}" for n in range(3))
RUN = Stored("a", "order", "success", "worker1", 100.0, 110.0, number=1, lines=LINES)


@dataclass
class Scene:
    """One request and its run; each test changes one thing."""

    told: dict[int, str] = field(default_factory=lambda: {1: "a"})
    stored: list[Stored] = field(default_factory=lambda: [RUN])
    effects: dict[tuple[str, str], int] = field(default_factory=lambda: {("1", "job"): 1})
    ledger: Ledger = field(default_factory=Ledger)
    minutes: list[int] = field(default_factory=lambda: [7, 8, 9])

    def problems(self) -> list[str]:
        return list(problems(self.told, self.stored, self.effects, self.ledger, self.minutes))

    def run(self, **changes: Any) -> None:
        self.stored[0] = replace(self.stored[0], **changes)

    def kill(self, worker: str, at: float) -> None:
        self.ledger.blows.append(Blow(f"kill {worker}", at, at, deadly=True))


def test_a_scene_where_all_went_well_has_none() -> None:
    assert Scene().problems() == []


def test_a_run_whose_worker_was_killed_may_end_badly() -> None:
    scene = Scene(effects={})
    scene.run(state="exception", lines=())
    scene.kill("worker1", 105)
    assert scene.problems() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda scene: scene.stored.clear(), "its run a is lost"),
        (lambda scene: scene.run(number=2), "is that of 2"),
        (lambda scene: scene.stored.append(replace(RUN, id="b", work_order="o")), "made 2 runs"),
        (lambda scene: scene.told.clear(), "request 1 has no answer"),
        (lambda scene: scene.stored.append(replace(RUN, id="b", number=None)), "order has 2 runs"),
        (lambda scene: scene.run(state="claimed"), "left as claimed"),
        (lambda scene: scene.run(state="lost"), "called lost"),
        (lambda scene: scene.run(state="crashed"), "nothing struck worker1"),
        (lambda scene: (scene.run(state="crashed"), scene.kill("worker2", 105)), "nothing struck"),
        (lambda scene: (scene.run(state="crashed"), scene.kill("worker1", 90)), "nothing struck"),
        (lambda scene: scene.effects.update({("1", "job"): 2}), "touched the world 2 times"),
        (lambda scene: scene.effects.clear(), "touched the world 0 times"),
        (lambda scene: scene.run(steps=2), "it has 2 steps"),
        (lambda scene: scene.run(lines=(*LINES, LINES[0])), "there twice"),
        (lambda scene: scene.run(lines=LINES[1:]), "2 of 3 lines"),
        (lambda scene: scene.minutes.append(9), "minute 9 has 2 work orders"),
        (lambda scene: scene.minutes.remove(8), "minute 8 has no work order"),
    ],
)
def test_each_breach_is_named(change: Callable[[Scene], object], words: str) -> None:
    scene = Scene()
    change(scene)
    assert any(words in problem for problem in scene.problems()), scene.problems()
