"""Secrets in large documents (`platform/scrubbing.py`)."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.json import Json
from holdfast.model.secrets import forms
from holdfast.platform.scrubbing import Scrubber, Scrubbers

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "support" / "secret_vectors.json").read_text()
)
SECRET = "correct-horse-battery-staple"


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_secrets_are_masked(vector: dict[str, Any]) -> None:
    assert Scrubber(vector["bodies"]).clean(vector["text"]) == vector["clean"]


def test_credentials_can_be_added_later() -> None:
    scrubber = Scrubber()
    assert scrubber.clean("s3cret-one") == "s3cret-one"
    scrubber.add({"token": "s3cret-one"})
    scrubber.add({"token": "s3cret-two"})
    assert scrubber.clean("s3cret-one s3cret-two") == "*** ***"


def test_five_hundred_secrets_are_all_found() -> None:
    values = [f"number-{n:03}-{n * 7919}" for n in range(500)]
    body: Json = {f"value_{n}": value for n, value in enumerate(values)}
    assert Scrubber([body]).clean(" ".join(values)) == " ".join(["***"] * 500)


@given(before=st.text(max_size=300), cut=st.integers(0, 400))
def test_the_beginning_of_a_text_ends_before_a_secret_does(before: str, cut: int) -> None:
    text = f"{before} {SECRET} and what follows it, for some time yet"
    start = Scrubber([{"password": SECRET}]).clean_start(text[:cut])
    assert not any(SECRET[:size] in start[-size:] for size in range(8, len(SECRET)))
    assert SECRET not in start


def test_a_text_that_bytes_cannot_say_is_cleaned_all_the_same() -> None:
    assert Scrubber([{"password": SECRET}]).clean(f"\ud800 {SECRET}") == "? ***"


PARTS = ("aaaaab", "aaaaaab", "abcde", "bcdefgh", "cdefghijkl", "x", "aaaa", "a" * 40)


@given(
    known=st.sets(st.sampled_from(PARTS), min_size=1),
    pieces=st.lists(st.sampled_from((*PARTS, "a", "b", "cd", "é", " " * 300))),
)
def test_the_leftmost_and_longest_secret_is_masked(known: set[str], pieces: list[str]) -> None:
    text = "".join(pieces)
    whole = sorted(set().union(*(forms({"password": part}) for part in known)), key=len)
    expected = re.sub("|".join(map(re.escape, reversed(whole))), "***", text)
    assert (
        Scrubber([{f"password{n}": part} for n, part in enumerate(known)]).clean(text) == expected
    )


def test_a_value_is_cleaned_in_texts_names_and_numbers() -> None:
    scrubber = Scrubber([{"password": SECRET, "pin": 73519284}])
    value: Json = {SECRET: [f"a {SECRET}", None, True, 1.5], "n": {"pin": 73519284}}
    assert scrubber.clean_value(value) == {"***": ["a ***", None, True, 1.5], "n": {"pin": "***"}}
    clean: Json = {"a": [1, "b"]}
    assert scrubber.clean_value(clean) is clean


def test_scrubbers_are_kept_for_a_while() -> None:
    scrubbers, made = Scrubbers(), list[int]()

    def bodies(number: int) -> list[Json]:
        made.append(number)
        return [{"token": f"token-{number}"}]

    for number in (1, 1, *range(2, 60), 1):
        known = scrubbers.of(number, partial(bodies, number))
        assert known.clean(f"token-{number}") == "***"
    assert made == [*range(1, 60), 1]
