"""The newest adaptors are looked at before a run asks for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from holdfast.adaptors.store import Store
from holdfast.worker.agent.warm import verify_newest


@dataclass
class Installed:
    name: str
    version: str
    installed_at: float


@dataclass
class Shelf:
    """A store that only tells what was looked for."""

    records: list[Installed]
    found: list[str] = field(default_factory=list)

    def installed(self) -> list[tuple[Path, Any]]:
        return [(Path(), record) for record in self.records]

    async def find(self, wanted: object) -> None:
        self.found.append(str(wanted))


async def test_the_three_newest_are_verified_newest_first() -> None:
    shelf = Shelf([Installed(f"@openfn/language-{n}", "1.0.0", float(n)) for n in range(5)])
    await verify_newest(cast("Store", shelf))
    assert shelf.found == [f"@openfn/language-{n}@1.0.0" for n in (4, 3, 2)]


async def test_an_empty_store_is_fine() -> None:
    shelf = Shelf([])
    await verify_newest(cast("Store", shelf))
    assert shelf.found == []
