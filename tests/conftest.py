"""What holds for all layers."""

from __future__ import annotations

import pytest

from fixtures.adaptors import installed


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install the real adaptors before any test that needs them, not on that test's clock."""
    if session.config.option.collectonly:
        return
    if any("adaptor_store" in getattr(item, "fixturenames", ()) for item in session.items):
        installed()
