"""The result of a compilation for people: sizes, embedded data, forecast, advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from holdfast.model.json import JsonObject

#: From this size on (bytes), data of a step should be stored elsewhere.
ADVICE_BYTES = 256 * 1024
#: Memory of V8 per byte of source, measured with Node 24 (`docs/figures.md`): of code and
#: literals that are evaluated, and of data that JSON.parse reads.
BYTES_PER_SOURCE_BYTE = 11.0
BYTES_PER_DATA_BYTE = 5.0
MEGABYTE = 1_000_000
#: How many holders of data the report names.
SHOWN = 100
INSTEAD = (
    "Put the data into a Collection and read what a run needs, for example "
    "collections.get('mappings', { key: '…' }), instead of keeping it in the code. "
    "See `holdfast explain HF1406`."
)


class EmbeddedData(NamedTuple):
    """Data in the code under one name."""

    name: str
    literals: int
    bytes: int
    first_line: int
    last_line: int
    hoisted_bytes: int

    def to_json(self) -> JsonObject:
        return {
            "name": self.name,
            "count": self.literals,
            "bytes": self.bytes,
            "first_line": self.first_line,
            "last_line": self.last_line,
            "hoisted_bytes": self.hoisted_bytes,
        }

    @property
    def lines(self) -> str:
        """The lines it takes, as words."""
        if self.first_line == self.last_line:
            return f"line {self.first_line}"
        return f"lines {self.first_line}–{self.last_line}"


class CompileReport(NamedTuple):
    """The report of one step. The process that compiles fills in time and memory."""

    name: str | None
    source_bytes: int
    operations: int
    imports: Mapping[str, list[str]] = MappingProxyType({})
    data: Sequence[EmbeddedData] = ()
    advice_bytes: int = ADVICE_BYTES
    module_bytes: int = 0
    warnings: Sequence[str] = ()
    seconds: float | None = None
    peak_mb: float | None = None

    @property
    def data_bytes(self) -> int:
        """Bytes of embedded data."""
        return sum(item.bytes for item in self.data)

    @property
    def hoisted_bytes(self) -> int:
        """Bytes of embedded data that are hoisted out of the module."""
        return sum(item.hoisted_bytes for item in self.data)

    @property
    def forecast_mb(self) -> float:
        """Memory (MB) that loading the step needs beyond that of an empty engine."""
        hoisted = self.hoisted_bytes
        code = self.source_bytes - hoisted
        return (code * BYTES_PER_SOURCE_BYTE + hoisted * BYTES_PER_DATA_BYTE) / MEGABYTE

    def largest(self, count: int) -> list[EmbeddedData]:
        """The largest holders of data."""
        return sorted(self.data, key=lambda item: -item.bytes)[:count]

    def advice(self) -> list[str]:
        """Two lines for the author if the data is large; else none."""
        large = [item for item in self.data if item.bytes >= self.advice_bytes]
        if not large:
            large = list(self.data) if self.data_bytes >= self.advice_bytes else []
        if not large:
            return []
        large = sorted(large, key=lambda item: -item.bytes)
        shown = ", ".join(f"{item.name} ({item.lines}, {size(item.bytes)})" for item in large[:3])
        more = f" and {len(large) - 3} more" if len(large) > 3 else ""
        carries = (
            f"This step carries {size(self.data_bytes)} of data in its code: {shown}{more}; "
            f"loading it takes about {self.forecast_mb:.0f} MB of memory in every run."
        )
        return [carries, INSTEAD]

    def to_json(self) -> JsonObject:
        """For the journal, scripts and the page."""
        return {
            "name": self.name,
            "source_bytes": self.source_bytes,
            "module_bytes": self.module_bytes,
            "operations": self.operations,
            "imports": {name: list(items) for name, items in self.imports.items()},
            "data": [item.to_json() for item in self.largest(SHOWN)],
            "data_count": len(self.data),
            "data_bytes": self.data_bytes,
            "hoisted_bytes": self.hoisted_bytes,
            "forecast_mb": round(self.forecast_mb, 1),
            "seconds": self.seconds,
            "peak_mb": self.peak_mb,
            "advice": list(self.advice()),
            "warnings": list(self.warnings),
        }


def size(count: int) -> str:
    """A number of bytes as people read it."""
    if count >= MEGABYTE:
        return f"{count / MEGABYTE:.1f} MB"
    return f"{count / 1000:.0f} KB" if count >= 1000 else f"{count} bytes"
