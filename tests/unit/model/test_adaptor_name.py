"""Short names mean OpenFn's adaptors, everywhere."""

from __future__ import annotations

import pytest

from holdfast.model.adaptor_name import full_name, is_adaptor


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("common", "@openfn/language-common"),
        ("common@3.3.4", "@openfn/language-common@3.3.4"),
        ("language-http@latest", "@openfn/language-http@latest"),
        ("@openfn/language-http@^7.1", "@openfn/language-http@^7.1"),
        ("left-pad@1.0.0", "@openfn/language-left-pad@1.0.0"),
    ],
)
def test_a_short_name_is_openfns(given: str, meant: str) -> None:
    assert full_name(given) == meant
    assert is_adaptor(meant)


@pytest.mark.parametrize(
    "text",
    ["@evil/common", "@openfn/runtime", "../../etc", "https://x.org/a.tgz", "a b", "",
     "@openfn/language-", "npm:common@1", "common@file:../x", "@openfn/language-http@git+ssh://x"],
)  # fmt: skip
def test_anything_else_is_no_adaptor(text: str) -> None:
    assert not is_adaptor(full_name(text))
