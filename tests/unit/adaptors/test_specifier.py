from __future__ import annotations

import pytest

from holdfast.adaptors.errors import AutoinstallError
from holdfast.adaptors.specifier import Specifier, version_order


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ("@openfn/language-http@7.2.10", "@openfn/language-http", "7.2.10"),
        ("@openfn/language-http", "@openfn/language-http", None),
        ("lodash@latest", "lodash", "latest"),
        ("a_b.c-d@1.0.0-beta.1+build.5", "a_b.c-d", "1.0.0-beta.1+build.5"),
        ("@openfn/language-http@^7.2", "@openfn/language-http", "^7.2"),
    ],
)
def test_a_specifier_splits_at_the_last_at_sign(text: str, name: str, version: str | None) -> None:
    assert Specifier.parse(text) == Specifier(name, version)


@pytest.mark.parametrize(
    "text",
    [
        "", "@", "a b", "a;b", "a@1.0.0;rm", "a@1 || 2", "a@$(id)", "a@`id`", "-g", "--help",
        "@scope", "../up", "./here", "/abs", "a/../b", "@a/b/c", "a@npm:b@1.0.0", "a@file:../x",
        "git+https://host/x", "a@https://host/x.tgz", "A", "node_modules", "a@-1", "a\n", "a@1\n",
        "x" * 215, "a@", "é",
    ],
)  # fmt: skip
def test_what_could_be_more_than_a_name_is_refused(text: str) -> None:
    with pytest.raises(AutoinstallError, match="Unsafe module specifier") as caught:
        Specifier.parse(text)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("version", "concrete"),
    [
        ("1.2.3", True), ("1.2.3-rc.1", True), ("1.2", False), ("^1.2.3", False),
        ("latest", False), ("01.2.3", False), ("*", False), (None, False),
    ],
)  # fmt: skip
def test_only_one_exact_version_is_concrete(version: str | None, concrete: bool) -> None:
    assert Specifier("a", version).concrete is concrete


def test_local_adaptors_are_known_by_their_short_name() -> None:
    wanted = Specifier.parse("@openfn/language-http@local")
    assert wanted.local
    assert wanted.short == "http"


def test_versions_are_ordered_by_the_rules_of_semantic_versioning() -> None:
    # The example of semver.org, section 11, and what the order as text gets wrong
    # (docs/spec/runtime.md 4.3).
    rising = [
        "latest", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
        "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "2.0.0", "9.0.0", "10.0.0",
    ]  # fmt: skip
    assert sorted(rising[1::2] + rising[::2], key=version_order) == rising
