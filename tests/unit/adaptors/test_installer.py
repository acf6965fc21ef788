"""What is done with a package that npm has brought (`adaptors/installer.py`)."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from holdfast.adaptors import installer
from holdfast.adaptors.specifier import Specifier


async def test_a_package_is_read_beside_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "new" / "work"
    package = work / "node_modules" / "@openfn" / "language-x"
    package.mkdir(parents=True)
    manifest = {"name": "@openfn/language-x", "version": "1.0.0", "main": "index.js"}
    (package / "package.json").write_text(json.dumps(manifest))
    (package / "index.js").write_text("")
    readers: list[threading.Thread] = []

    def read(_: Path) -> tuple[str, ...]:
        readers.append(threading.current_thread())
        return ()

    monkeypatch.setattr(installer, "operations", read)
    monkeypatch.setattr(installer, "exported_names", read)
    npm = cast("Any", None)  # takes no part
    subject = installer.Installer(tmp_path / "store", npm, {}, None)
    specifier = Specifier("@openfn/language-x", "1.0.0")
    found = await subject.finish(specifier, work, {"packages": {}})
    assert found.is_relative_to(tmp_path / "store")
    assert len(readers) == 2
    assert threading.main_thread() not in readers
