"""Install the Debian packages that the tests drive: Chromium for the page.

`make test` calls this first. It changes nothing where the programs are there already; where they
are not and cannot be installed, it says so, and the tests that need them say it again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

#: program -> Debian package
NEEDED = {"chromium": "chromium"}


def missing() -> list[str]:
    return [package for program, package in NEEDED.items() if shutil.which(program) is None]


def install(packages: list[str]) -> str | None:
    """Install with apt-get; returns why it failed, or None."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return "needs apt-get and root"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        if done.returncode != 0:
            return f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1:]}"
    return None


def main() -> int:
    packages = missing()
    if not packages:
        return 0
    print(f"==> installing for the tests: {' '.join(packages)}", flush=True)
    if (cause := install(packages)) is not None:
        print(
            f"    could not ({cause}). Install by hand: apt-get install {' '.join(packages)}\n"
            "    Tests that need them will fail and name them.",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
