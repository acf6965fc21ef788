"""Items of collections in files: what is written is read, mistakes have their place."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from holdfast.model.items import (
    FORMATS,
    ItemFileError,
    read_items,
    value_text,
    write_items,
)

ITEMS = [
    ("a", '{"n": 1}'),
    ('é "q"', '"text, with\\nlines"'),
    ("long", value_text("x" * 200_000)),
    ("n", "12345678901234567890"),
    ("null", "null"),
    ("z,", "[1, 2.5, {}]"),
]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("items", [[], ITEMS[:1], ITEMS])
def test_what_is_written_is_read(form: str, items: list[tuple[str, str]]) -> None:
    file = io.StringIO(newline="")
    assert write_items(items, file, form) == len(items)
    file.seek(0)
    assert [*read_items(file, form)] == items


@pytest.mark.parametrize(
    ("form", "text", "items"),
    [
        (
            "json",
            ' [ {"key": "a", "value": 1},{"value": [], "key": "b"} ] ',
            {"a": "1", "b": "[]"},
        ),
        ("json", '{"a":12,"b":"x"}', {"a": "12", "b": '"x"'}),
        ("jsonl", '\n{"key": "a", "value": {"b": 1}}\n\n', {"a": '{"b": 1}'}),
        ("csv", "key,iso,name\na,KE,Kenya\n", {"a": '{"iso": "KE", "name": "Kenya"}'}),
        ("csv", 'value,key\n"{""b"": 1}",a\n', {"a": '{"b": 1}'}),
    ],
)
def test_other_ways_to_write_them(form: str, text: str, items: dict[str, str]) -> None:
    assert dict(read_items(io.StringIO(text), form)) == items


@pytest.mark.parametrize(
    ("form", "text", "place"),
    [
        ("json", "", "character 1"),
        ("json", "12", "character 1"),
        ("json", '{"a": }', "character 7"),
        ("json", '{"a": 1', "character 8"),
        ("json", '{"a" 1}', "character 6"),
        ("json", '[{"key": 1, "value": 2}]', "character 24"),
        ("json", '{"a": 1} x', "character 10"),
        ("json", " " * 70_000 + "{x", "character 70002"),
        ("json", '{"a": NaN}', "character 7"),
        ("json", '{"a": 1, "b": [1e999]}', "character 15"),
        ("json", '[{"key": "a", "value": -Infinity}]', "character 2"),
        ("json", '{"a": [1, x]}', "character 11"),
        ("json", "{1: 2}", "character 3"),
        ("json", '{"a": "\\ud800"}', "character 15"),
        ("json", '{"a\\u0000": 1}', "character 14"),
        ("json", "[" * 5000, "character 2"),
        ("json", '{"a": ' + "[" * 500 + "]" * 500 + "}", "character 7"),
        ("json", '{"a": ' + "1" * 5000 + "}", "character 7"),
        ("jsonl", '{"key": "a", "value": 1e999}', "line 1"),
        ("jsonl", '{"key": "a", "value": NaN}', "line 1"),
        ("jsonl", "[" * 5000, "line 1"),
        ("csv", "key,value\na\0,1\n", "line 2"),
        ("jsonl", '{"key": "a", "value": 1}\n{"key": "b"}', "line 2"),
        ("jsonl", '{"key": "a", "value": 1}\n\n{', "line 3"),
        ("csv", "name\nx\n", "line 1"),
        ("csv", "key,value\na,1\nb\n", "line 3"),
        ("csv", "key,value\na,1,2\n", "line 2"),
        ("csv", "key,value\n,1\n", "line 2"),
    ],
)
def test_mistakes_have_their_place(form: str, text: str, place: str) -> None:
    with pytest.raises(ItemFileError, match=f"^{place}: "):
        [*read_items(io.StringIO(text), form)]


def test_a_long_value_is_begun_again_a_few_times_only() -> None:
    class Counted(io.StringIO):
        reads = 0

        def read(self, size: int | None = -1) -> str:
            self.reads += 1
            return super().read(size)

    file = Counted('[{"key": "a", "value": [' + "1," * 600_000 + "1]}]")
    assert len([*read_items(file, "json")]) == 1
    assert file.reads < 10


def test_a_stored_text_with_an_infinite_number_stays_a_text() -> None:
    file = io.StringIO()
    write_items([("a", "1e999"), ("b", "NaN")], file, "jsonl")
    assert "Infinity" not in file.getvalue()
    file.seek(0)
    assert dict(read_items(file, "jsonl")) == {"a": '"1e999"', "b": '"NaN"'}


def test_a_large_file_is_never_held_whole() -> None:
    class Pieces(io.StringIO):
        """A file that makes its text as it is read."""

        most = 0

        def __init__(self) -> None:
            super().__init__()
            self._parts = self._made()

        def _made(self) -> Iterator[str]:
            yield "{"
            for number in range(20_000):
                yield f'"k{number}": "{"x" * 100}",'
            yield '"end": 1}'

        def read(self, size: int | None = -1) -> str:
            text = next(self._parts, "")
            self.most = max(self.most, len(text))
            return text

    file = Pieces()
    assert sum(1 for _ in read_items(file, "json")) == 20_001
    assert file.most < 200
