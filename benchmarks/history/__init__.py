"""A long history: loaded from a seed, then looked at. `--size=1`, `10` or `100`.

Size 100 is a million runs, three million steps, twenty million log lines and a million collection
items of 1 KB: 12 GB on SQLite. `--folder` keeps the database, and uses one that is there;
`--postgres` names a database of PostgreSQL, empty or filled so before.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import create_engine, inspect

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from benchmarks.history.looks import PARTS, look, make_searchable  # noqa: E402
from holdfast.platform.settings import Settings  # noqa: E402
from support.history import Size, load  # noqa: E402 - not installed

#: Disk that a run of the history needs while it is loaded, with all that belongs to it.
_BYTES_EACH = 20_000


def main(flags: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("python -m benchmarks history", description=__doc__)
    parser.add_argument("--size", type=int, default=1, help="times 10,000 runs")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--folder", type=Path, help="where the database is kept")
    parser.add_argument("--postgres", help="address of an empty database")
    parser.add_argument("--lines", type=int, default=20, help="of each run")
    parser.add_argument("--only", default=",".join(PARTS), help="with commas; nothing: only load")
    asked = parser.parse_args(flags)
    with tempfile.TemporaryDirectory(prefix="holdfast-history-") as name:
        folder: Path = asked.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        url = asked.postgres or f"sqlite+pysqlite:///{folder}/platform.db"
        if not _is_there(url):
            _load(url, folder, replace(Size.times(asked.size), lines=asked.lines), asked.seed)
        parts = [part for part in asked.only.split(",") if part]
        if "search" in parts:
            make_searchable(Settings(data=folder, database_url=asked.postgres))
        if parts:
            look(url, parts)


def _is_there(url: str) -> bool:
    engine = create_engine(url)
    try:
        return inspect(engine).has_table("runs")
    finally:
        engine.dispose()


def _load(url: str, folder: Path, size: Size, seed: str) -> None:
    free, needed = shutil.disk_usage(folder).free, size.runs * _BYTES_EACH
    if free < needed:
        sys.exit(f"{folder} has {free >> 20} MB left; {needed >> 20} MB are needed")
    print(f"seed {seed}")
    load(url, size, seed, lambda said: print(said, flush=True), searchable=True)
