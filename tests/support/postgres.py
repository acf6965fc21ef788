"""The platform's tests on PostgreSQL.

`HOLDFAST_TEST_POSTGRES` is the folder of a server's socket. `make postgres` starts a server and
sets it. Each data folder gets a database of its own.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

SOCKET = os.environ.get("HOLDFAST_TEST_POSTGRES")
#: For tests that look into SQLite's file, or make its disk fail.
postgres_only = pytest.mark.skipif(SOCKET is None, reason="about processes on one PostgreSQL")
sqlite_only = pytest.mark.skipif(SOCKET is not None, reason="about the file of SQLite")


def database_of(data: Path) -> dict[str, Any]:
    """Settings of the database for a data folder; none where SQLite is used."""
    if SOCKET is None:
        return {}
    name = "t" + hashlib.sha256(str(data).encode()).hexdigest()[:16]
    server = create_engine(_address("postgres"), isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as connection:
            asked = text("SELECT 1 FROM pg_database WHERE datname = :name")
            if connection.execute(asked, {"name": name}).first() is None:
                connection.execute(text(f'CREATE DATABASE "{name}"'))
    finally:
        server.dispose()
    return {"database_url": _address(name)}


def _address(name: str) -> str:
    return f"postgresql+psycopg://postgres@/{name}?host={SOCKET}"
