"""A few of the runs that `make replays` records and replays."""

from __future__ import annotations

from pathlib import Path

from holdfast.adaptors import Store
from replays.__main__ import prove


async def test_replays_make_the_same_bytes_and_files_hold_no_secret(
    tmp_path: Path, adaptor_store: Store
) -> None:
    assert adaptor_store is not None
    assert await prove(20261128, 4, tmp_path) == []
