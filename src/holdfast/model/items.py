"""Items of collections in files: JSON, JSON Lines and CSV, read and written one by one. Pure."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from typing import NoReturn, TextIO

from holdfast.model.errors import HoldfastError
from holdfast.model.json import DEEPEST_DOCUMENT, Json, Unfit, is_deep, refuse_depth
from holdfast.model.request_body import refuse_unfit

FORMATS = ("json", "jsonl", "csv")
_READ = 1 << 16
#: One item may not be longer, in characters: a value has a million of them, escaped at most six.
_LONGEST = 8_000_000
_SPACE = " \t\r\n"
_DEEP = f"it is nested too deeply: more than {DEEPEST_DOCUMENT} levels"


class ItemFileError(HoldfastError):
    """The file has something that is no item; the message names the place."""


def read_items(file: TextIO, form: str) -> Iterator[tuple[str, str]]:
    """Key and value, which is JSON text or any other text. Raises ItemFileError.

    JSON: a map of keys to values, or a list of `{"key", "value"}`. JSON Lines: one of these a
    line. CSV: columns `key` and `value`; a file with other columns has `key` and their values as
    an object.
    """
    return {"json": _read_json, "jsonl": _read_lines, "csv": _read_csv}[form](file)


def write_items(items: Iterable[tuple[str, str]], file: TextIO, form: str) -> int:
    """Write what `read_items` reads; how many there were."""
    return {"json": _write_json, "jsonl": _write_lines, "csv": _write_csv}[form](items, file)


def value_text(value: Json) -> str:
    """How a value is stored."""
    return json.dumps(value, ensure_ascii=False)


def value_of(text: str) -> Json:
    """What a stored text says: JSON if it is, else the text itself."""
    try:
        return _parsed(text)
    except ValueError:
        return text


def _parsed(text: str) -> Json:
    refuse_depth(text)
    value: Json = _DECODER.decode(text)
    return value


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        message = f"the number {text} is infinite"
        raise Unfit(message)
    return number


def _refuse(constant: str) -> NoReturn:
    message = f"{constant} is not JSON"
    raise Unfit(message)


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)


def _checked(key: str, text: str) -> tuple[str, str]:
    """The item, if it can be stored. Raises Unfit."""
    refuse_unfit({key: text})
    return key, text


def _read_lines(file: TextIO) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                yield _item(_parsed(line))
            except ValueError as error:
                message = f"line {number}: {error}"
                raise ItemFileError(message) from error


def _item(value: Json) -> tuple[str, str]:
    if not isinstance(value, dict) or not isinstance(value.get("key"), str):
        message = 'it must be an object with "key" (text) and "value"'
        raise ValueError(message)
    if "value" not in value:
        message = f'the item {value["key"]!r} has no "value"'
        raise ValueError(message)
    return _checked(str(value["key"]), value_text(value["value"]))


def _read_csv(file: TextIO) -> Iterator[tuple[str, str]]:
    csv.field_size_limit(_LONGEST)
    rows = csv.DictReader(file)
    if "key" not in (rows.fieldnames or ()):
        message = "line 1: there is no column called key"
        raise ItemFileError(message)
    try:
        for row in rows:
            rest = {name: text for name, text in row.items() if name not in {"key", None}}
            if None in row or None in rest.values() or not row["key"]:
                message = (
                    f"line {rows.line_num}: it has not as many cells as the first line, or no key"
                )
                raise ItemFileError(message)
            text = rest["value"] if [*rest] == ["value"] else value_text({**rest})
            yield _checked(row["key"], text)
    except (csv.Error, Unfit) as error:
        message = f"line {rows.line_num}: {error}"
        raise ItemFileError(message) from error


class _Text:
    """A file's text, of which only what is being read is held."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._held = ""
        self._at = 0
        self._before = 0

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._held) and self._held[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._held) or not self._more():
                return self._held[self._at : self._at + 1]

    def take(self, wanted: str) -> str:
        """The next character, one of these. Raises ItemFileError."""
        found = self.peek()
        if not found or found not in wanted:
            here = found or "the end of the file"
            what = f"{here} where {' or '.join(wanted)} belongs"
            raise self.broken(what)
        self._at += 1
        return found

    def value(self) -> Json:
        """The next JSON value. Raises ItemFileError."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._held, self._at)
            except json.JSONDecodeError as error:
                wrong = self.broken(f"no JSON: {error.msg}", error.pos)
                if len(self._held) - self._at > _LONGEST or not self._more():
                    raise wrong from error
                continue
            except ValueError as error:
                raise self.broken(str(error)) from error
            except RecursionError as error:
                raise self.broken(_DEEP) from error
            length = end - self._at
            # a number may go on in what was not read yet
            if end < len(self._held) or not self._more():
                if is_deep(value, DEEPEST_DOCUMENT):
                    raise self.broken(_DEEP)
                self._at += length
                return value  # type: ignore[no-any-return]

    def _more(self) -> bool:
        """Read as much again as is held, so that a long value is begun again a few times only."""
        text = self._file.read(max(_READ, len(self._held) - self._at))
        self._before += self._at
        self._held, self._at = self._held[self._at :] + text, 0
        return bool(text)

    def broken(self, what: str, at: int | None = None) -> ItemFileError:
        """What is wrong, at this place of the text that is held; None: where reading stands."""
        place = self._at if at is None else at
        return ItemFileError(f"character {self._before + place + 1}: {what}")


def _member(text: _Text) -> tuple[str, str]:
    """The next key and value of a map."""
    key = text.value()
    if not isinstance(key, str):
        what = "a key must be text"
        raise text.broken(what)
    text.take(":")
    value = text.value()
    try:
        return _checked(key, value_text(value))
    except ValueError as error:
        raise text.broken(str(error)) from error


def _read_json(file: TextIO) -> Iterator[tuple[str, str]]:
    text = _Text(file)
    last = {"{": "}", "[": "]"}[text.take("{[")]
    if text.peek() == last:
        text.take(last)
    else:
        while True:
            if last == "}":
                yield _member(text)
            else:
                item = text.value()
                try:
                    yield _item(item)
                except ValueError as error:
                    raise text.broken(str(error)) from error
            if text.take("," + last) == last:
                break
    if text.peek():
        what = "something follows the end"
        raise text.broken(what)


def _write_json(items: Iterable[tuple[str, str]], file: TextIO) -> int:
    count = 0
    file.write("{")
    for key, text in items:
        file.write(",\n" if count else "\n")
        file.write(f"{json.dumps(key, ensure_ascii=False)}: {value_text(value_of(text))}")
        count += 1
    file.write("\n}\n")
    return count


def _write_lines(items: Iterable[tuple[str, str]], file: TextIO) -> int:
    count = 0
    for key, text in items:
        file.write(value_text({"key": key, "value": value_of(text)}) + "\n")
        count += 1
    return count


def _write_csv(items: Iterable[tuple[str, str]], file: TextIO) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("key", "value"))
    count = 0
    for key, text in items:
        writer.writerow((key, text))
        count += 1
    return count
