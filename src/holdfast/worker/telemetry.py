"""Traces of runs for OpenTelemetry: one span a run, with a child for each of its phases.

Needs the extra `otel`, and an address in OpenTelemetry's own variables
(`OTEL_EXPORTER_OTLP_ENDPOINT`, or the one for traces). The library sends from a thread of its own.
Spans hold ids, names of phases and the ending: no data of a run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from holdfast import __version__, log

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

ADDRESSES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_NANOSECONDS = 1_000_000_000


@dataclass
class Traces:
    """The phases of runs that have not ended."""

    tracer: Tracer
    phases: dict[str, list[tuple[str, int, int]]] = field(default_factory=dict)

    def phase(self, run_id: str, name: str, seconds: float) -> None:
        """A run has left a phase, in which it was for so long."""
        now = time.time_ns()
        begin = now - round(seconds * _NANOSECONDS)
        self.phases.setdefault(run_id, []).append((name, begin, now))

    def done(self, run_id: str, ending: str) -> None:
        """The platform has all of a run, or will not have it."""
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415 - as in set_up

        phases = self.phases.pop(run_id, [])
        if not phases:
            return
        said = {"holdfast.run": run_id, "holdfast.ending": ending}
        whole = self.tracer.start_span("run", start_time=phases[0][1], attributes=said)
        for name, begin, end in phases:
            inside = set_span_in_context(whole)
            self.tracer.start_span(name, context=inside, start_time=begin).end(end)
        whole.end(phases[-1][2])


_traces: Traces | None = None


def set_up(environment: Mapping[str, str]) -> None:
    """Send traces from now on, if an address is given. Without the extra one line says so."""
    global _traces  # noqa: PLW0603 - of the process, like the log
    given = next((name for name in ADDRESSES if environment.get(name)), None)
    if given is None or environment.get("OTEL_SDK_DISABLED") == "true":
        return
    if find_spec("opentelemetry.exporter") is None:
        log.warn("option.without_effect", name=given, why="holdfast[otel] is not installed")
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - when asked
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    name = environment.get("OTEL_SERVICE_NAME", "holdfast-worker")
    resource = Resource.create({"service.name": name, "service.version": __version__})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _traces = Traces(provider.get_tracer("holdfast"))


def phase(run_id: str, name: str, seconds: float) -> None:
    """See Traces."""
    if _traces is not None:
        _traces.phase(run_id, name, seconds)


def done(run_id: str, ending: str) -> None:
    """See Traces."""
    if _traces is not None:
        _traces.done(run_id, ending)
