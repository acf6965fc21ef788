"""The store with real adaptors from the registry."""

from __future__ import annotations

import os

from holdfast.adaptors import InstalledAdaptor, Store
from support.adaptors import COMMON, REAL


def test_every_real_adaptor_lies_read_only_in_the_store(
    adaptor_store: Store, real_adaptors: dict[str, InstalledAdaptor]
) -> None:
    assert sorted(real_adaptors) == sorted(REAL)
    for specifier, adaptor in real_adaptors.items():
        assert str(adaptor) == specifier
        assert adaptor.path.is_relative_to(adaptor_store.root)
        entry = adaptor.path / adaptor.entry
        assert entry.is_file()
        for path in (entry, entry.parent, adaptor.path.parents[2], adaptor.path / "package.json"):
            assert path.stat().st_mode & 0o222 == 0, path
        assert adaptor.integrity.startswith("sha256-")


def test_the_option_is_what_the_engine_reads(
    real_adaptors: dict[str, InstalledAdaptor],
) -> None:
    option = real_adaptors[COMMON].to_option()
    names = {"entry", "exports", "integrity", "name", "operations", "path", "version"}
    assert set(option) == names
    assert os.path.isabs(str(option["path"]))  # noqa: PTH117 text of a JSON document
