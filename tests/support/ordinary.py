"""Start a command as an ordinary user who may read this Python: `ordinary.py UID ARGV...`.

For tests that root runs. A Python below /root cannot be reached by others; in a mount namespace of
its own the command sees it at the same path through folders that everybody may enter.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from holdfast.sandbox import kernel

_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18


def closed_ancestor(path: Path) -> Path | None:
    """The highest folder above `path` that others may not enter."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


def show(path: Path) -> None:
    """Make `path` reachable for everybody, here only."""
    closed = closed_ancestor(path)
    if closed is None:
        return
    kernel.libc.unshare(kernel.CLONE_NEWNS)
    handle = os.open(path, os.O_PATH)
    kernel.mount("none", "/", None, _RECURSIVE | _PRIVATE)
    kernel.mount("tmpfs", str(closed), "tmpfs", 0, "mode=755")
    path.mkdir(parents=True)
    kernel.mount(f"/proc/self/fd/{handle}", str(path), None, _BIND | _RECURSIVE)
    os.close(handle)


def main() -> None:
    user = int(sys.argv[1])
    show(Path(sys.base_prefix))
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    os.chdir("/")
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
