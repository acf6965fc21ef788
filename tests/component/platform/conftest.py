"""A real platform: SQLite in a folder, uvicorn on a free port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.platform import Served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A platform with one project deployed. Its janitor only looks when told to."""
    with Served(tmp_path / "data") as server:
        server.deploy()
        yield server
