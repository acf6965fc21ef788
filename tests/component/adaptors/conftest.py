"""An engine for the jobs of these tests, started once per module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.adaptors import InstalledAdaptor, Store
from support.runs import Runs, engine_with


@pytest.fixture(scope="package")
def runs(adaptor_store: Store, real_adaptors: dict[str, InstalledAdaptor]) -> Iterator[Runs]:
    """The real engine with the real adaptors."""
    yield from engine_with(adaptor_store)
