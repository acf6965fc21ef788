"""An engine for the jobs of these tests, and an adaptor store on a registry of our own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.adaptors import InstalledAdaptor, Store
from support.registry import Registry, serve
from support.runs import Runs, engine_with
from support.store_room import Room


@pytest.fixture(scope="package")
def runs(adaptor_store: Store, real_adaptors: dict[str, InstalledAdaptor]) -> Iterator[Runs]:
    """The real engine with the real adaptors."""
    yield from engine_with(adaptor_store)


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serve() as running:
        yield running


@pytest.fixture
def room(tmp_path: Path, registry: Registry) -> Room:
    return Room(tmp_path, registry)
