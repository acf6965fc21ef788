"""A PostgreSQL server of its own: in a folder, reachable through a socket in it and nowhere else.

Needs the Debian package `postgresql`. As root the server runs as another user, because PostgreSQL
refuses root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

SETTINGS = "-c listen_addresses='' -c max_connections=300"
#: For speed: a server that is thrown away need not survive a power cut.
FAST = "-c fsync=off"


def programs() -> Path | None:
    """The folder of the server's programs: the newest version, or what PATH has."""
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3])
    )
    if installed:
        return installed[-1].parent
    found = shutil.which("pg_ctl")
    return Path(found).resolve().parent if found else None


def owner() -> int | None:
    """Whom the server runs as; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_uid
    except KeyError:
        return 65534


class PostgresServer:
    """Its data are in `folder/data`, its log is `folder/log`."""

    def __init__(self, folder: Path, where: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self._where, self._user = where, owner()
        folder.mkdir(exist_ok=True)
        if self._user is not None:
            os.chown(folder, self._user, -1)
        folder.chmod(0o755)

    def call(self, program: str, *arguments: str) -> None:
        """One of the server's programs on its data. Raises CalledProcessError."""
        subprocess.run(
            [str(self._where / program), "-D", str(self.data), *arguments],
            check=True,
            user=self._user,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
        )

    def create(self) -> None:
        self.call("initdb", "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8")

    def start(self, settings: str = FAST) -> None:
        """Raises CalledProcessError; the log tells why."""
        log, options = str(self.folder / "log"), f"-k {self.folder} {SETTINGS} {settings}"
        self.call("pg_ctl", "start", "-w", "-l", log, "-o", options)

    def stop(self) -> None:
        self.call("pg_ctl", "stop", "-m", "immediate")
