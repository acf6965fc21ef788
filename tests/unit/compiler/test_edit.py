"""Edits, and the way back from a position to the author's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.compiler.edit import Edits, Segment, author_position, pieces, position_map
from holdfast.compiler.source import Source


def rendered(text: str, edits: Edits) -> str:
    source = Source.of(text)
    return b"".join(pieces(source, edits.render([(0, len(source))]))).decode()


def test_edits_nest() -> None:
    edits = Edits()
    edits.replace(3, 4, ["state"])
    edits.wrap(3, 6, "(s => ", ")")
    edits.wrap(0, 8, "<", ">")
    assert rendered("fn($.a);", edits) == "<fn((s => state.a));>"


def test_parts_may_change_their_order() -> None:
    edits = Edits()
    edits.replace(1, 2, ["B"])
    edits.replace(0, 5, [(3, 5), "-", (0, 3)])
    assert rendered("abcde!", edits) == "de-aBc!"


def test_edits_of_what_is_left_out_are_left_out() -> None:
    edits = Edits()
    edits.replace(1, 2, ["B"])
    edits.replace(0, 5, [(3, 5)])
    assert rendered("abcde!", edits) == "de!"


@st.composite
def rearranged(draw: st.DrawFn) -> tuple[str, list[Segment]]:
    text = draw(st.text(alphabet="ab\n é;", max_size=60))
    source = Source.of(text)
    starts = [len(text[:n].encode()) for n in range(len(text) + 1)]
    segments: list[Segment] = []
    for _ in range(draw(st.integers(0, 6))):
        if draw(st.booleans()):
            segments.append(draw(st.sampled_from([",", "];", "\n", "state", "x\ny", " "])))
        else:
            start, end = sorted(draw(st.tuples(*[st.sampled_from(starts)] * 2)))
            if start < end:
                segments.append((start, end))
    assert len(source) == starts[-1]
    return text, segments


@given(rearranged())
def test_every_copied_character_is_found_again(case: tuple[str, list[Segment]]) -> None:
    text, segments = case
    source = Source.of(text)
    entries = position_map(source, segments)
    line = column = 1
    for segment in segments:
        copied = segment if isinstance(segment, str) else source.string(*segment)
        begin = 0 if isinstance(segment, str) else segment[0]
        for number, character in enumerate(copied):
            if not isinstance(segment, str) and character != "\n":
                offset = begin + len(copied[:number].encode())
                assert author_position(entries, line, column) == source.position(offset)
            if character == "\n":
                line, column = line + 1, 1
            else:
                column += 1


def test_replacing_a_character_needs_no_entry() -> None:
    source = Source.of("fn(1);\nfn(2);")
    assert position_map(source, [(0, 5), ",", (6, 13)]) == []
    assert position_map(source, [(0, 6), ",", (6, 13)]) == []
