"""`make postgres`: the platform's tests on a PostgreSQL server of their own.

Starts a server in a temporary folder, reachable through a socket in it and nowhere else, and stops
it afterwards. Needs the Debian package `postgresql`. As root the server runs as another user,
because PostgreSQL refuses root. `--with COMMAND…` runs something else while the server is there,
which then syncs what it commits, as a real one does.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ["tests/component/platform"]
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


def main() -> int:
    """The exit code of the tests or the command; 2 when there is no server to be had."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # and stop the server
    where = programs()
    if where is None:
        print("PostgreSQL is missing: apt-get install postgresql", file=sys.stderr)
        return 2
    user, other = owner(), sys.argv[2:] if sys.argv[1:2] == ["--with"] else []
    with tempfile.TemporaryDirectory(prefix="holdfast-postgres-") as name:
        folder = Path(name)
        if user is not None:
            os.chown(folder, user, -1)
        folder.chmod(0o755)

        def server(program: str, *arguments: str) -> None:
            command = [str(where / program), "-D", str(folder / "data"), *arguments]
            subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

        server("initdb", "--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8")
        server("pg_ctl", "start", "-w", "-l", str(folder / "log"),
               "-o", f"-k {folder} {SETTINGS} {'' if other else FAST}")  # fmt: skip
        try:
            tests = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile"]
            command = other or [*tests, *(sys.argv[1:] or TESTS)]
            environment = {**os.environ, "HOLDFAST_TEST_POSTGRES": name}
            return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        finally:
            server("pg_ctl", "stop", "-m", "immediate")


if __name__ == "__main__":
    sys.exit(main())
