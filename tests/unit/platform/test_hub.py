"""Watchers hear that the platform ends, whenever they came."""

from __future__ import annotations

from holdfast.platform.hub import Hub


def test_every_watcher_is_told_of_the_end_also_one_that_comes_after_it() -> None:
    hub = Hub()
    with hub.watch("runs") as early:
        hub.close()
        with hub.watch("runs", "queue") as late:
            assert [early.get_nowait().what, late.get_nowait().what] == ["closing", "closing"]
            assert late.empty()
