"""The loop of regular expressions is right on every CPython, 3.11.2 of Debian 12 included."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import holdfast
from holdfast.compiler import embedded, repair
from holdfast.engine.run import plan_text
from holdfast.model import patterns
from holdfast.model.patterns import loop

#: Alternatives that fail after they have read something, each in another way.
BODIES = [
    ("[^*]", r"\*(?!/)"),
    ("ab", "a(?=c)c", "b[cd]++a"),
    (r"(?!x)[ab]", r"\\(?:a|u[0-9]{2})"),
    ("a/[*](?s:.*?)[*]/", "b"),
    ('"' + loop('[^"]', "x(?!y)") + '"', "a++(?=:)", ":"),
]


def by_hand(alternatives: tuple[str, ...], text: str, start: int) -> int:
    """Where the loop must end: one round after the other, nothing given back."""
    one = re.compile("|".join(f"(?:{item})" for item in alternatives))
    while (found := one.match(text, start)) is not None and found.end() > start:
        start = found.end()
    return start


@pytest.mark.parametrize("alternatives", BODIES)
@given(text=st.text('ab*/cd\\u1x":', max_size=20))
def test_loop_ends_where_its_last_whole_round_ends(
    alternatives: tuple[str, ...], text: str
) -> None:
    pattern = re.compile(loop(*alternatives))
    for start in range(len(text) + 1):
        found = pattern.match(text, start)
        assert found is not None
        assert found.end() == by_hand(alternatives, text, start)


@pytest.mark.parametrize(
    ("pattern", "text", "end"),
    [
        (embedded._RUN, "[1, /* ] */ 2] x", 15),
        (embedded._RUN, "[1, 'a', b", 9),
        (embedded._RUN, "[1, /* no end", 4),
        (embedded._RUN, "[1, 'no end", 4),
        (embedded._RUN, '{a: "x\\', 4),
        (embedded._RUN, "[1, -x]", 4),
        (embedded._TEMPLATE, "`a $b \\` $`", 11),
        (embedded._PLAIN_STRING, "'a\\'b'", 6),
        (repair._GAP, b" /* a */ /* b", 9),
        (plan_text._TOKENS, "a\\u00", 1),
    ],
)
def test_patterns_of_ours_end_in_the_right_place(
    pattern: re.Pattern[str] | re.Pattern[bytes], text: str | bytes, end: int
) -> None:
    found = pattern.match(text)  # type: ignore[arg-type]
    assert found is not None
    assert found.end() == end


def test_no_module_makes_a_possessive_group_of_its_own() -> None:
    """`(…)*+`, `(…)++`, `(…)?+` and `(…){n}+` go wrong before CPython 3.11.5: use `loop`."""
    for path in Path(holdfast.__file__).parent.rglob("*.py"):
        if path != Path(patterns.__file__):
            assert not re.search(r"\)(?:[*+?]|\{[0-9,]+\})\+", path.read_text()), path
