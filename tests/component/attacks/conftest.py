"""What the attacks share."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.engine import public_folder
from support.native import library

__all__ = ["public_folder"]


@pytest.fixture(scope="module")
def attacker(public_folder: Path) -> Path:
    """A library of native code that job code can load."""
    return library(public_folder / "store")
