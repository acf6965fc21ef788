"""Programs of the machine that some tests drive (`scripts/ensure_system.py` installs them)."""

from __future__ import annotations

import os
import shutil

import pytest


def program(name: str) -> str:
    """The path of a program. Where it is missing, root's test fails and another user's is skipped:
    root can install it, and continuous integration must not leave a test out."""
    path = shutil.which(name)
    if path is None:
        message = f"{name} is missing. Install it as root: apt-get install {name}"
        if os.geteuid() == 0 or os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path
