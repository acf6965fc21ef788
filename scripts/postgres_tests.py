"""`make postgres`: the platform's tests on a PostgreSQL server of their own.

The server is in a temporary folder, and is stopped afterwards. `--with COMMAND…` runs something
else while the server is there, which then syncs what it commits, as a real one does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.postgres_server import FAST, PostgresServer, programs

ROOT = Path(__file__).resolve().parents[1]
TESTS = ["tests/component/platform"]


def main() -> int:
    """The exit code of the tests or the command; 2 when there is no server to be had."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # and stop the server
    where = programs()
    if where is None:
        print("PostgreSQL is missing: apt-get install postgresql", file=sys.stderr)
        return 2
    other = sys.argv[2:] if sys.argv[1:2] == ["--with"] else []
    with tempfile.TemporaryDirectory(prefix="holdfast-postgres-") as name:
        server = PostgresServer(Path(name), where)
        server.create()
        server.start("" if other else FAST)
        try:
            tests = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile"]
            command = other or [*tests, *(sys.argv[1:] or TESTS)]
            environment = {**os.environ, "HOLDFAST_TEST_POSTGRES": name}
            return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
