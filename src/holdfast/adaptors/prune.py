"""What stays of an adaptor's dependencies once they are part of its joined file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

#: Beginnings of the names of files that must go with copies of a package.
_LEGAL = ("license", "licence", "notice", "copying")


def prune(folder: Path, package: Path, packages: Iterable[str]) -> None:
    """Remove the code of all dependencies below `folder`; the adaptor's own package stays.

    `packages` are the places of all packages, relative to `folder`: each keeps its package.json
    and its legal files, so that what is part of the joined file can be told. Raises OSError.
    """
    manifests = {folder / place / "package.json" for place in packages}
    own = str(package) + os.sep
    nested = str(package / "node_modules") + os.sep
    for parent, _, names in os.walk(folder / "node_modules", topdown=False):
        inside = f"{parent}{os.sep}"
        if inside.startswith(own) and not inside.startswith(nested):
            continue
        for name in names:
            path = Path(parent, name)
            if path not in manifests and not name.lower().startswith(_LEGAL):
                path.unlink()
        with suppress(OSError):  # something stays in it
            Path(parent).rmdir()
