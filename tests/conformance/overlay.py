"""The engine's program with what only conformance cases need (`engine/*.mjs`) laid over it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from holdfast.engine.config import JAVASCRIPT, EngineConfig

TRACED = Path(__file__).with_name("engine")


def traced(folder: Path) -> Callable[[EngineConfig], EngineConfig]:
    """Configures an engine whose runs tell what the reference's runtime tells.

    Its program is laid into `folder`, which must not be there yet.
    """
    shutil.copytree(JAVASCRIPT, folder)
    for path in TRACED.glob("*.mjs"):
        shutil.copy(path, folder)
    return lambda config: replace(config, program=folder / "main.mjs")
