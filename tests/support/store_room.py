"""An adaptor store on a registry of our own, and what it told of its work."""

from __future__ import annotations

from pathlib import Path

from holdfast.adaptors import Event, InstallEvent, Store
from support.registry import Registry

NAME = "@openfn/language-probe"


class Room:
    """A store on a registry, and the news it gave."""

    def __init__(self, root: Path, registry: Registry) -> None:
        self.environment = registry.environment(str(root))
        self.root = root / "store"
        self.news: list[InstallEvent] = []
        self.store = self.another()

    def another(self) -> Store:
        return Store(
            self.root, environment=self.environment, retry_seconds=(0.01, 0.01), flatten=False
        )

    async def ensure(self, *specifiers: str, refresh: bool = False) -> list[str]:
        self.news.clear()
        found = await self.store.ensure(specifiers, on_event=self.news.append, refresh=refresh)
        return [str(adaptor) for adaptor in found.values()]

    def events(self) -> list[Event]:
        return [news.event for news in self.news]

    def leftovers(self) -> list[str]:
        return sorted(path.name for path in (self.root / ".tmp").iterdir())
