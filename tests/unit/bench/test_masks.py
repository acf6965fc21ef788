"""What is a secret by its name does not stay in a bundle."""

from __future__ import annotations

import pytest

from holdfast.bench.masks import masked, masked_text, masked_url
from holdfast.model.json import Json

CANARY = "canary-51f0"


@pytest.mark.parametrize(
    "value",
    [
        {"password": CANARY},
        {"data": [{"accessToken": CANARY}]},
        {"headers": {"Authorization": f"Bearer {CANARY}"}},
        {"note": f"Bearer {CANARY}"},
        {"pin": 51900},
        {"next": f"https://a.org/p?page=2&access_token={CANARY}"},
        {"link": f"https://jo:{CANARY}@a.org/p"},
    ],
)
def test_secrets_by_name_or_looks_are_masked_at_any_depth(value: Json) -> None:
    assert CANARY not in str(masked(value))
    assert "51900" not in str(masked(value))


def test_everything_else_stays_as_it_is() -> None:
    value: Json = {"name": "Ada", "list": [1, None, {"key_figures": {"a": 1}}], "token": ""}
    assert masked(value) == value


def test_marked_fields_are_masked() -> None:
    assert masked({"name": "Ada", "age": 7}, marked=frozenset({"name"})) == {
        "name": "***",
        "age": 7,
    }


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ('{"token":"x1","n":1}', '{"token":"***","n":1}'),
        ('{"n": 1,  "m": 2}', '{"n": 1,  "m": 2}'),
        ("grant=all&client_secret=x1", "grant=all&client_secret=***"),
        ("<p>hello</p>", "<p>hello</p>"),
        ("{no json", "{no json"),
    ],
)
def test_bodies_keep_their_form(body: str, wanted: str) -> None:
    assert masked_text(body) == wanted


def test_only_secret_parameters_of_an_address_are_masked() -> None:
    assert masked_url("https://a.org/x?page=2&token=t1") == "https://a.org/x?page=2&token=***"
    assert masked_url("https://a.org/x?page=%20") == "https://a.org/x?page=%20"


def test_a_list_under_a_name_of_secrets_is_masked_item_by_item() -> None:
    given: Json = {"tokens": [CANARY, {"value": 1}], "set-cookie": ["a=1", "b=2"]}
    assert masked(given) == {"tokens": ["***", {"value": 1}], "set-cookie": ["***", "***"]}
