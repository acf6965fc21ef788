"""Figures of a worker for Prometheus: what is counted as it happens, and what is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

PREFIX = "holdfast_worker_"
#: Seconds of one phase of a run: from a quick delivery to a run of an hour.
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


@dataclass(frozen=True, slots=True)
class Figure:
    """One value that is looked at when somebody asks; `labels` tell values of a name apart."""

    name: str
    help: str
    values: Mapping[tuple[str, ...], float]
    labels: tuple[str, ...] = ()
    counts: bool = False  # only ever grows

    def family(self) -> Metric:
        kind = CounterMetricFamily if self.counts else GaugeMetricFamily
        family: Metric = kind(PREFIX + self.name, self.help, labels=self.labels)
        for labels, value in self.values.items():
            family.add_metric(labels, value)  # type: ignore[attr-defined] # both kinds have it
        return family


class _Looked(Collector):
    def __init__(self, look: Callable[[], Iterable[Figure]]) -> None:
        self._look = look

    def collect(self) -> Iterable[Metric]:
        return [figure.family() for figure in self._look()]


class Metrics:
    """One worker's. `look` gives the figures of the moment."""

    def __init__(self, look: Callable[[], Iterable[Figure]]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Looked(look))
        self.claims = Counter(
            PREFIX + "claims",
            "Claims by what came of them: run, empty, refused, lost.",
            ("loop", "result"),
            registry=self._registry,
        )
        self.phases = Histogram(
            PREFIX + "phase_seconds",
            "How long runs were in each phase: preparing, waiting, running, delivering.",
            ("phase",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.outcomes = Counter(
            PREFIX + "outcomes",
            "Runs by how they ended: success, fail, crash, kill, cancel, exception.",
            ("reason",),
            registry=self._registry,
        )

    def text(self) -> str:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry).decode()
