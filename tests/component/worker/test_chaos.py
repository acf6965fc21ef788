"""A small storm as part of every test run; `make chaos` is the large one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chaos.__main__ import chaos


@pytest.mark.parametrize("seed", [2, 3])  # as Lightning; with windows and batches
def test_nothing_is_lost_in_a_small_storm(seed: int, tmp_path: Path) -> None:
    violations, report = asyncio.run(chaos(seed, 16, tmp_path, patience=60))
    assert violations == 0, report
