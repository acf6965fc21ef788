"""A few of the runs that `make boundaries` kills at their requests."""

from __future__ import annotations

from pathlib import Path

from boundaries.__main__ import prove
from holdfast.adaptors import Store


async def test_what_is_told_of_a_killed_run_is_what_servers_saw(
    tmp_path: Path, adaptor_store: Store
) -> None:
    assert adaptor_store is not None
    assert await prove(20261129, 2, tmp_path) == []
