"""Figures of a platform for Prometheus: what is counted as it happens, and what is looked at.

What happens is counted by the process where it happens: add the processes up. What is looked at is
in the database, the same in every process: take one of them, or the greatest. Processes that serve
one port count in files of one folder (`PROMETHEUS_MULTIPROC_DIR`), and each tells the sum of all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from holdfast.model.outcome import RunState
from holdfast.platform.store.lanes import QUEUES
from holdfast.platform.store.notice import Notice
from holdfast.platform.store.state import State

PREFIX = "holdfast_platform_"
#: Seconds: of what a caller waits for, and of what waits in the queue.
_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LONG = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class Described(NamedTuple):
    """One figure, for the documentation."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


class Figures:
    """Those of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._made: list[Counter | Gauge | Histogram] = []
        make = self._make
        self.states: Counter = make(
            Counter, "runs", "Runs that came into a state: made, claimed, started, or ended so.",
            "state",
        )  # fmt: skip
        self.claims: Counter = make(Counter, "claims", "Claims: with runs, or empty.", "result")
        self.claim_seconds: Histogram = make(
            Histogram, "claim_seconds", "How long a worker waits for the answer to its claim.",
            buckets=_QUICK,
        )  # fmt: skip
        self.wait_seconds: Histogram = make(
            Histogram, "run_wait_seconds", "From when a run was made until a worker got it.",
            buckets=_LONG,
        )  # fmt: skip
        self.request_seconds: Histogram = make(
            Histogram, "request_seconds",
            "How long a request took: webhook, api, collections, page.", "kind", "status",
            buckets=_QUICK,
        )  # fmt: skip
        self.commit_seconds: Histogram = make(
            Histogram, "commit_seconds", "How long one transaction of the writer took.",
            buckets=_QUICK,
        )  # fmt: skip
        self.writes: Counter = make(
            Counter, "writes", "Pieces of work that were committed, or had failed.", "result"
        )
        self.cron_late: Histogram = make(
            Histogram, "cron_late_seconds", "How late the run of a cron trigger was made.",
            buckets=_LONG,
        )  # fmt: skip
        self._writes_waiting: Gauge = make(
            Gauge, "writes_waiting", "Pieces of work that wait for the writer; 1,024 at most.",
            multiprocess_mode="livesum",
        )  # fmt: skip
        self._leads: Gauge = make(
            Gauge, "does_chores", "1: this process does the chores.", multiprocess_mode="livemax"
        )
        self._queue: Gauge = make(Gauge, "queue_runs", "Runs that wait for a worker.", "queue")
        self._active: Gauge = make(Gauge, "active_runs", "Runs that a worker has.", "state")
        self._oldest: Gauge = make(
            Gauge, "oldest_wait_seconds", "How long the oldest run of the queue has waited."
        )
        self._claimable: Gauge = make(
            Gauge, "claimable_runs", "Runs that wait for a worker and are not paused."
        )
        self._claimable_wait: Gauge = make(
            Gauge, "claimable_wait_seconds", "How long the oldest of them has waited."
        )
        self._paused: Gauge = make(
            Gauge, "paused", "1: the queue is paused; how many workflows are.", "what"
        )
        self._workers: Gauge = make(
            Gauge, "workers", "Workers that are connected, to any process."
        )
        self._capacity: Gauge = make(
            Gauge, "capacity_runs", "Runs that the connected workers can have together."
        )
        self._retries: Gauge = make(
            Gauge, "planned_retries", "Failed runs that are to be retried."
        )
        self._platforms: Gauge = make(Gauge, "processes", "Platform processes that live.")
        self._database: Gauge = make(Gauge, "database_bytes", "Size of the database.")

    def _make(self, kind: Any, name: str, words: str, *labels: str, **more: Any) -> Any:
        if kind is Gauge:
            more = {"multiprocess_mode": "mostrecent", **more}
        made = kind(PREFIX + name, words, labels, registry=self._registry, **more)
        self._made.append(made)
        return made

    def committed(self, notices: Iterable[Notice]) -> None:
        """What this process has committed."""
        for notice in notices:
            if notice.topic == "runs" and notice.what == "state":
                self.states.labels(notice.data["state"]).inc()

    def wrote(self, seconds: float, good: int, failed: int) -> None:
        """One transaction of the writer."""
        self.commit_seconds.observe(seconds)
        self.writes.labels("committed").inc(good)
        self.writes.labels("failed").inc(failed)

    def text(self, state: State, *, waiting: int, leads: bool) -> bytes:
        """Everything in Prometheus' text format. `waiting`: pieces of work for the writer."""
        self.here(waiting=waiting, leads=leads)
        for queue in {*QUEUES, *state.queues}:
            self._queue.labels(queue).set(state.queues.get(queue, 0))
        for name in (RunState.CLAIMED, RunState.STARTED):
            self._active.labels(name.value).set(state.active.get(name.value, 0))
        self._oldest.set(state.oldest_seconds)
        self._claimable.set(state.claimable)
        self._claimable_wait.set(state.claimable_seconds)
        self._paused.labels("queue").set(state.queue_paused)
        self._paused.labels("workflows").set(state.paused_workflows)
        self._workers.set(state.workers)
        self._capacity.set(state.capacity)
        self._retries.set(state.retries)
        self._platforms.set(state.platforms)
        self._database.set(state.database_bytes)
        registry = self._registry
        if (folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR")) is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call] # theirs
        return generate_latest(registry)

    def here(self, *, waiting: int, leads: bool) -> None:
        """What only this process knows of itself now."""
        self._writes_waiting.set(waiting)
        self._leads.set(leads)


def described() -> Iterator[Described]:
    """All figures, as the documentation lists them."""
    for made in Figures()._made:
        yield Described(made._name, made._type, made._labelnames, made._documentation)
