"""The reference's own `@openfn/project` under Node.js."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from conformance.compiler import NODE, NPM

VERSION = "0.20.2"
_CACHE = Path(__file__).parents[2] / ".cache" / "openfn-project"
_PACKAGE = _CACHE / "node_modules" / "@openfn" / "project"
_SCRIPT = Path(__file__).with_suffix(".mjs")


def install() -> Path:
    """The package's entry, installed from the registry once."""
    manifest = _PACKAGE / "package.json"
    if not manifest.exists() or json.loads(manifest.read_text())["version"] != VERSION:
        _CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [NODE, NPM, "install", "--silent", "--no-audit", "--no-fund", "--no-save",
             "--ignore-scripts", "--prefix", _CACHE, f"@openfn/project@{VERSION}"],
            check=True, cwd=_CACHE,
        )  # fmt: skip
    return _PACKAGE / "dist" / "index.js"


def package(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the package makes of each `{state, seed?}`: see the script."""
    done = subprocess.run(
        [NODE, _SCRIPT, install()],
        input=json.dumps(jobs).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
