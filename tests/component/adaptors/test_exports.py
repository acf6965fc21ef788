from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.adaptors import InstalledAdaptor
from holdfast.adaptors.exports import exported_names
from support.adaptors import COLLECTIONS, COMMON, FHIR, HTTP


@pytest.mark.parametrize(
    ("specifier", "some"),
    [
        (COMMON, {"fn", "each", "dataValue", "dateFns", "combine"}),
        (HTTP, {"get", "post", "fn", "each", "request"}),
        (COLLECTIONS, {"collections"}),
        (FHIR, {"create", "get", "createTransactionBundle"}),
    ],
)
def test_the_names_of_real_adaptors_are_known(
    real_adaptors: dict[str, InstalledAdaptor], specifier: str, some: set[str]
) -> None:
    names = real_adaptors[specifier].exports
    assert some <= set(names)
    assert len(names) == len(set(names))
    assert real_adaptors[specifier].to_option()["exports"] == list(names)


@pytest.mark.parametrize("types", ["gone.d.ts", "../outside.d.ts", "empty.d.ts"])
def test_declarations_that_cannot_be_used_mean_unknown(tmp_path: Path, types: str) -> None:
    (tmp_path / "outside.d.ts").write_text("export declare function secret(): void;")
    inner = tmp_path / "package"
    inner.mkdir()
    (inner / "empty.d.ts").write_text("")
    (inner / "package.json").write_text(json.dumps({"name": "a", "types": types}))
    assert exported_names(inner) == ()
