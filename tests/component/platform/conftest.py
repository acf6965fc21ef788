"""A real platform: SQLite in a folder, uvicorn on a free port."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from holdfast.platform.access.keys import load_keys
from holdfast.platform.app import CHORES
from holdfast.platform.service import Chore
from support.platform import Served, Store


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with keys and an empty, migrated database, to be copied."""
    data = tmp_path_factory.mktemp("made") / "data"
    load_keys(data, {})
    with Store(data):
        pass
    return data


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "data")
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
def shared(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One platform for tests that do not mind what others leave behind."""
    data = tmp_path_factory.mktemp("shared") / "data"
    shutil.copytree(made, data)
    with Served(data) as server:
        server.deploy()
        yield server


@pytest.fixture
def store(data: Path) -> Iterator[Store]:
    """The database alone, with one project."""
    with Store(data) as opened:
        opened.deploy()
        yield opened
