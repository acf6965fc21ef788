"""The platform of `holdfast up` has the store of its worker, and may install into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast.adaptors.location import default_store_root
from holdfast.cli import up
from holdfast.platform.service import Platform
from holdfast.platform.settings import Settings


async def test_a_schema_of_an_adaptor_that_is_not_here_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKER_REPO_DIR", raising=False)
    given: list[dict[str, Any]] = []

    async def served(_: Settings, **values: Any) -> None:
        given.append(values)

    asked: list[list[str]] = []

    async def ensure(specifiers: list[str]) -> None:
        asked.append(specifiers)

    monkeypatch.setattr(up, "serve", served)
    settings = Settings(data=tmp_path)
    await up._up(settings, {}, worker=False)
    chosen = {name: given[0].get(name) for name in ("resolve", "confirm")}
    platform = Platform(settings, **chosen)
    monkeypatch.setattr(platform.adaptors, "ensure", ensure)
    with pytest.raises(Exception, match="there is no schema 'dhis2'"):
        await platform.schema("dhis2")
    assert asked == [["@openfn/language-dhis2@latest"]]
    assert platform.adaptors.root == default_store_root({}, tmp_path)
