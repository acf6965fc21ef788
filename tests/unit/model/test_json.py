"""How deep a JSON text is nested is counted: by a rule of ours, the same for every Python."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from holdfast.cli.planfile import PlanFileError, read_document
from holdfast.cli.remote import _texts
from holdfast.engine.run.plan_text import PlanError, PlanReader
from holdfast.model.json import (
    DEEPEST,
    DEEPEST_DOCUMENT,
    is_deep,
    nests_deeper,
    parse_document,
    parse_fit,
    parse_mended,
)
from holdfast.model.scrubber import Scrubber
from holdfast.platform.project.loader import DEEPEST as DEEPEST_YAML
from holdfast.platform.project.loader import SafeLoader
from holdfast.platform.project.read import read_project
from holdfast.platform.project.source import ProjectFileError
from holdfast.platform.web.render import pretty
from holdfast.protocol.frames import DEEPEST_FRAME, decode_text
from holdfast.protocol.tokens import TokenError, expiry_of, verify_worker_token
from holdfast.worker.outbox.events import Unreadable, _document


def inner(levels: int) -> str:
    """Lists within each other."""
    return "[" * levels + "]" * levels


values = st.recursive(
    st.none() | st.text('[]{}"\\a', max_size=6),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text('[{"\\'), part, max_size=3),
    max_leaves=12,
)


@given(values, st.integers(0, 6), st.booleans())
def test_levels_of_a_text_are_those_of_its_value(value: Any, most: int, indent: bool) -> None:
    text = json.dumps(value, indent=1 if indent else None)
    assert nests_deeper(text, most) == nests_deeper(text.encode(), most)
    deeper = is_deep(value, most) if isinstance(value, list | dict) else False
    assert nests_deeper(text, most) == (deeper if most else isinstance(value, list | dict))


@pytest.mark.parametrize("text", ['["' + "[" * 900, "]" * 900, '"' + "[" * 900 + '"', "", '"\\'])
def test_texts_that_are_not_deep(text: str) -> None:
    assert not nests_deeper(text, 2)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-be"])
def test_bytes_are_read_in_their_encoding(encoding: str) -> None:
    assert nests_deeper(inner(300).encode(encoding), 299)
    assert not nests_deeper(inner(300).encode(encoding), 300)


def _plan(text: str) -> object:
    reader = PlanReader()
    reader.feed(f'{{"workflow":{{"steps":[{{"expression":"{"x" * 70_000}","state":'.encode())
    reader.feed(f"{text}}}]}}}}".encode())
    return reader.finish()


def _scrubbed(text: str) -> object:
    return Scrubber([parse_document(f'{{"password":{text}}}')]).clean("a secret")


def _answer(text: str) -> object:
    return _texts(parse_document(text))


def _final_state(text: str) -> object:
    return _document("final_state", {"blob": text[:900]}, lambda _: text)


#: reader, levels that it takes, and its error.
READERS: dict[str, tuple[Callable[[str], object], int, type[Exception]]] = {
    "document": (parse_document, DEEPEST_DOCUMENT, ValueError),
    "document in bytes": (
        lambda text: parse_document(text.encode()),
        DEEPEST_DOCUMENT,
        ValueError,
    ),
    "document of a run": (_final_state, DEEPEST_DOCUMENT, Unreadable),
    "record": (lambda text: parse_fit(text.encode()), DEEPEST, ValueError),
    "old record": (lambda text: parse_mended(text.encode()), DEEPEST, ValueError),
    "plan": (_plan, DEEPEST_DOCUMENT - 4, PlanError),
    "credential": (_scrubbed, DEEPEST_DOCUMENT - 1, ValueError),
    "error of a platform": (_answer, DEEPEST_DOCUMENT, ValueError),
}


@pytest.mark.parametrize("name", READERS)
def test_every_reader_takes_its_levels_and_no_more(name: str) -> None:
    read, levels, error = READERS[name]
    read(inner(levels))
    for more in (levels + 1, 1000, 5000, 200_000):
        with pytest.raises(error, match="nested too deeply"):
            read(inner(more))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)),
         "aliases repeat more than 200,000 values"),
        ("a: &a [*a]", "an alias stands within itself"),
        ("a: &a {b: {c: *a}}", "an alias stands within itself"),
    ],
)  # fmt: skip
def test_what_aliases_stand_for_has_an_end(text: str, words: str) -> None:
    with pytest.raises(yaml.MarkedYAMLError, match=words):
        SafeLoader(text).get_single_node()


def test_aliases_and_many_values_are_read() -> None:
    text = "a: &a {k: [1, 2]}\nb: *a\nc: [*a, {<<: *a, z: 3}]\n"
    assert yaml.load(text, SafeLoader)["c"][1] == {"k": [1, 2], "z": 3}


def test_a_frame_is_as_deep_as_its_document_and_what_is_around_it() -> None:
    def payload(levels: int) -> object:
        return decode_text(f'["1","2","t","e",{inner(levels)}]').payload

    assert payload(DEEPEST_FRAME - 1) is not None
    for more in (DEEPEST_FRAME, 1000, 5000, 200_000):
        assert payload(more) is None


@pytest.mark.parametrize(
    ("suffix", "levels"), [(".json", DEEPEST_DOCUMENT), (".yaml", DEEPEST_YAML)]
)
def test_a_file_is_refused_by_its_depth(tmp_path: Path, suffix: str, levels: int) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_text(inner(levels))
    read_document(path)
    for more in (levels + 1, 5000):
        path.write_text(inner(more))
        with pytest.raises(PlanFileError, match="nested too deeply"):
            read_document(path)


def test_a_project_file_is_refused_by_its_depth(tmp_path: Path) -> None:
    path = tmp_path / "project.yaml"
    path.write_text("name: a\nworkflows:\n  w: " + inner(300))
    with pytest.raises(ProjectFileError, match=r"project.yaml:3: broken YAML: nested too deeply"):
        read_project(path)


def test_tokens_that_are_nested_are_none() -> None:
    part = base64.urlsafe_b64encode(inner(20_000).encode()).decode().rstrip("=")
    assert expiry_of(f"{part}.{part}.{part}") is None
    for token in (f"{part}.e30.e30", f"e30.{part}.e30", "\u00e9.é.é", "a.b"):
        with pytest.raises(TokenError):
            verify_worker_token(token, "secret", 0)


def test_what_is_too_deep_to_be_laid_out_is_shown_as_it_is() -> None:
    assert pretty(inner(DEEPEST_DOCUMENT)).startswith("[\n")
    assert pretty(inner(2000)) == inner(2000)
