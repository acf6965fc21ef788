"""A real platform: SQLite in a folder, uvicorn on a free port."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from holdfast.platform.app import CHORES
from holdfast.platform.service import Chore
from support.furnished import furnish
from support.platform import Served, Store


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with keys and an empty, migrated database, to be copied."""
    data = tmp_path_factory.mktemp("made") / "data"
    furnish(data)
    return data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    furnish(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def chores() -> Iterable[Chore]:
    """What a platform does by itself. A module whose tests do it by hand has none."""
    return CHORES


@pytest.fixture
def served(data: Path, chores: Iterable[Chore]) -> Iterator[Served]:
    """A platform with one project deployed. Its janitor only looks when told to."""
    with Served(data, chores=chores) as server:
        server.deploy()
        yield server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One platform for tests that do not mind what others leave behind."""
    with Served(tmp_path_factory.mktemp("shared") / "data") as server:
        server.deploy()
        yield server


@pytest.fixture
def store(data: Path) -> Iterator[Store]:
    """The database alone, with one project."""
    with Store(data) as opened:
        opened.deploy()
        yield opened
