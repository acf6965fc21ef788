"""A short soak; `make soak` is the long one."""

from __future__ import annotations

from pathlib import Path

from soak.soak import Soak


async def test_a_short_soak_loses_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    soak = Soak(seed=3, runs=60, data=tmp_path, calm=5)
    assert await soak.drive() == []
    assert soak.samples
    assert soak.strikes
