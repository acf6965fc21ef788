"""A data folder as a platform's first start leaves it: made once, then copied.

The first start takes half a second of a processor, nearly all of it for migrations and for an RSA
key. Hundreds of tests need one. Those of the first start itself begin with an empty folder.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from holdfast.platform.access.keys import load_keys
from holdfast.platform.settings import Settings
from holdfast.platform.store.database import Database
from support.postgres import SOCKET


def furnish(data: Path, *, keys: bool = True) -> None:
    """Put there what a first start makes, unless a platform was there before."""
    if any((data / name).exists() for name in ("platform.db", "keys", "admin-token")):
        return
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    for made in _made().iterdir():
        if made.name == "platform.db":
            if SOCKET is None:
                shutil.copy(made, data)
        elif keys:
            (shutil.copytree if made.is_dir() else shutil.copy)(made, data / made.name)


@cache
def _made() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="holdfast-furnished-"))
    atexit.register(shutil.rmtree, folder)
    database = Database(Settings(data=folder).database, lambda _: None)
    database.open()
    database.close()
    load_keys(folder, {})
    return folder
