"""Builds the native part of the engine when Holdfast is installed, or a wheel of it made.

Without a C compiler, or on another system than Linux, it is left out: everything works without
it, only no run is forked from a warm process (docs/engine.md, "Zygotes").
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_FOLDER = Path("src/holdfast/engine/native")
_FLAGS = ("-O2", "-shared", "-fPIC", "-fstack-protector-strong", "-Wl,-z,relro,-z,now")


class NativePart(BuildHookInterface[Any]):
    """See the module."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        source = Path(self.root) / _FOLDER / "zygote.c"
        target = source.with_suffix(".so")
        if not build(source, target):
            return
        if version != "editable":
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
            build_data["artifacts"].append(str(_FOLDER / target.name))


def build(source: Path, target: Path) -> bool:
    """Compile the library; False, with the cause on standard error, where that cannot be."""
    target.unlink(missing_ok=True)
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or sys.platform != "linux":
        sys.stderr.write("zygote.so is left out: no C compiler, or no Linux\n")
        return False
    made = target.with_suffix(".making")
    command = [compiler, *_FLAGS, "-o", str(made), str(source), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        made.unlink(missing_ok=True)
        sys.stderr.write(f"zygote.so is left out: {done.stderr[-2000:]}\n")
        return False
    made.rename(target)
    return True
