"""Adaptors that the reference's worker installed, in a repository of its own layout.

```
<repo>/package.json                                   `dependencies` names every alias
<repo>/node_modules/@openfn/language-http_7.2.0/…     an adaptor under `name_version`
<repo>/node_modules/…                                 what the adaptors need
```

A worker that is given such a folder (`WORKER_REPO_DIR`) reads what is in it, so a machine without
a network goes on with the adaptors that it has. What it installs itself lies beside it
(`docs/spec/runtime.md` 4.3).
"""

from __future__ import annotations

from pathlib import Path

from holdfast.adaptors.declared import operations
from holdfast.adaptors.errors import StoreError
from holdfast.adaptors.exports import exported_names
from holdfast.adaptors.package import entry_file, read_manifest
from holdfast.adaptors.record import InstalledAdaptor
from holdfast.adaptors.specifier import Specifier


def find_alias(wanted: Specifier, repository: Path) -> InstalledAdaptor | None:
    """The adaptor in exactly this version, if the repository lists it and it can be loaded.

    It has no digest: nothing tells what its files should be.
    """
    alias = f"{wanted.name}_{wanted.version}"
    try:
        listed = read_manifest(repository).get("dependencies")
        if not isinstance(listed, dict) or alias not in listed:
            return None
        folder = repository / "node_modules" / alias
        manifest = read_manifest(folder)
        if (manifest.get("name"), manifest.get("version")) != (wanted.name, wanted.version):
            return None
        entry = entry_file(folder, manifest)
    except StoreError:  # half installed, or no such repository: it is installed anew
        return None
    assert wanted.version is not None
    exports = exported_names(folder)
    return InstalledAdaptor(
        wanted.name, wanted.version, folder, entry, exports, "", operations(folder)
    )
