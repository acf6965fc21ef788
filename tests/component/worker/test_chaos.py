"""A small storm as part of every test run; `make chaos` is the large one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from chaos.__main__ import chaos

#: Against a platform as strict as Lightning, and one that offers windows and batches.
SEEDS = (2, 3)


async def test_standing_still_is_a_violation(tmp_path: Path) -> None:
    violations, report = await chaos(2, 2, tmp_path, patience=0)
    assert violations > 0
    assert "VIOLATION (seed 2) no run ended for 0 s" in report


async def test_nothing_is_lost_in_two_small_storms(tmp_path: Path) -> None:
    async def storms() -> list[tuple[int, str]]:
        return await asyncio.gather(
            *(chaos(seed, 16, tmp_path / str(seed), patience=120) for seed in SEEDS)
        )

    for violations, report in await storms():
        assert violations == 0, report
