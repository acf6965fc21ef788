"""What holds for all layers."""

from __future__ import annotations

import pytest
from hypothesis import settings

from support.adaptors import installed


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The loop of the product is the loop of its tests."""
    return "asyncio"


# A test must not fail because the machine is busy. `print_blob`: a failure says how to repeat it.
settings.register_profile("holdfast", deadline=None, print_blob=True)
settings.load_profile("holdfast")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install the real adaptors before any test that needs them, not on that test's clock."""
    if session.config.option.collectonly:
        return
    if any("adaptor_store" in getattr(item, "fixturenames", ()) for item in session.items):
        installed()
