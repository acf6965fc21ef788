"""Install the Debian packages that the tests drive: Chromium for the page, openssl, nginx.

`make test` calls this first. It changes nothing where the programs are there already. Where they
are not and this user may not install them, one line says so; the tests that need them are then
skipped with the same words, and all others run. Root must have them: there such a test fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

#: program -> Debian package
NEEDED = {
    "chromium-headless-shell": "chromium-headless-shell",  # where it cannot be had: chromium
    "openssl": "openssl",
    "nginx": "nginx-light",
}


def missing() -> list[str]:
    return [package for program, package in NEEDED.items() if shutil.which(program) is None]


def install(packages: list[str]) -> str | None:
    """Install with apt-get; returns why it failed, or None."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return "to install it needs apt-get and root"
    print(f"==> installing for the tests: {' '.join(packages)}", flush=True)
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
    if (cause := install(packages)) is not None:
        names = " ".join(packages)
        print(
            f"==> missing: {names} ({cause}). Tests that need it are left out, and named at the "
            f"end. Install it as root: apt-get install {names}",
            file=sys.stderr,
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
