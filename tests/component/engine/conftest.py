"""What the engine's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.engine import Running, engine


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An engine as users have it. Some modules have one of their own."""
    with engine(tmp_path_factory.mktemp("data")) as started:
        yield started
