"""A primary and its synchronous standby, of which either may take the other's part."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from subprocess import CalledProcessError

import psycopg

from support.postgres_server import PostgresServer
from support.waiting import eventually

_STANDBYS = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"


class Databases:
    """Both servers. What was answered is on both of them, so that either may be lost."""

    def __init__(self, folder: Path, where: Path) -> None:
        self.primary = PostgresServer(folder / "a", where)
        self.standby = PostgresServer(folder / "b", where)
        hosts = "&".join(f"host={one.folder}" for one in (self.primary, self.standby))
        #: The one of both that can be written to.
        self.url = (
            f"postgresql+psycopg://postgres@/postgres?{hosts}&target_session_attrs=read-write"
        )

    def start(self) -> None:
        self.primary.create()
        self.primary.start()
        # Or what a standby still needs could be gone after its primary was killed.
        self._ask("ALTER SYSTEM SET wal_keep_size = '1GB'")
        self._attach()

    def stop(self) -> None:
        for one in (self.primary, self.standby):
            with suppress(CalledProcessError):  # it does not run
                one.stop()

    def kill_primary(self) -> None:
        """It dies, and is started again."""
        self._kill()
        self.primary.start()

    def fail_over(self) -> None:
        """The primary dies for good, its standby takes over, and a new standby is made."""
        eventually(lambda: self._ask(_STANDBYS), "the standby is in step")
        self._kill()
        self.standby.call("pg_ctl", "promote", "-w")
        self.primary, self.standby = self.standby, self.primary
        self._wait_for_standbys("")
        self._attach()

    def _attach(self) -> None:
        """Make the other server a copy of the primary, without which no commit is answered."""
        shutil.rmtree(self.standby.data, ignore_errors=True)
        self.standby.call(
            "pg_basebackup", "-h", str(self.primary.folder), "-U", "postgres", "-R", "-c", "fast"
        )
        self.standby.start()
        self._wait_for_standbys("*")
        eventually(lambda: self._ask(_STANDBYS), "a standby is there")

    def _wait_for_standbys(self, which: str) -> None:
        self._ask(f"ALTER SYSTEM SET synchronous_standby_names = '{which}'")
        self._ask("SELECT pg_reload_conf()")

    def _ask(self, statement: str) -> object:
        """The first value of the answer; None without one."""
        address = f"host={self.primary.folder} user=postgres dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def _kill(self) -> None:
        """The server and all its processes, as a machine that loses its power."""
        lock = self.primary.data / "postmaster.pid"
        lines = lock.read_text().splitlines()
        os.kill(int(lines[0]), signal.SIGKILL)
        eventually(lambda: not _within(self.primary.data), "its processes have ended")
        # Only a start in the same folder would remove its shared memory; there may be none.
        subprocess.run(["ipcrm", "-m", lines[6].split()[1]], check=True)
        # Its zombie may still be there, which the next start takes for a server.
        for left in (lock, self.primary.folder / ".s.PGSQL.5432.lock"):
            left.unlink()


def _within(data: Path) -> list[int]:
    """Processes that work in a server's folder: those of a killed server end one by one."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            pid = int(entry.name)
            if (entry / "cwd").readlink() == data:
                found.append(pid)
    return found
