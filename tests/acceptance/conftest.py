"""The whole product, started with its real command."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.adaptors import Store
from support.adaptors import adaptor_store
from support.product import Product, start

__all__ = ["adaptor_store"]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, adaptor_store: Store) -> Iterator[Product]:
    """One product for the tests of a module."""
    folder = tmp_path_factory.mktemp("product")
    started = start(folder / "data", folder, adaptor_store)
    yield started
    code = started.up.stop()
    started.up.kill()
    assert code == 0, started.up.output[-3000:]
