"""Lines of two texts that differ."""

from __future__ import annotations

import random
import re

from holdfast.platform.project.difference import lines_between


def patched(old: list[str], told: list[str]) -> list[str]:
    """The text that the lines make of the old one."""
    made: list[str] = []
    read = 0
    for line in told:
        if found := re.match(r"@@ -(\d+)(?:,(\d+))? ", line):
            begins = int(found[1]) - (found[2] != "0")
            made += old[read:begins]
            read = begins
            continue
        if line[0] in " -":
            assert old[read] == line[1:]
            read += 1
        if line[0] in " +":
            made.append(line[1:])
    return made + old[read:]


def test_lines_make_the_new_text_of_the_old_one() -> None:
    dice = random.Random(7)
    for _ in range(300):
        old = [dice.choice(["a", "-- b", "++ c", "d", ""]) for _ in range(dice.randrange(12))]
        new = [line for line in old if dice.random() > 0.2]
        new.insert(dice.randrange(len(new) + 1), dice.choice(["a", "-- e"]))
        texts = ["".join(f"{line}\n" for line in lines) for lines in (old, new)]
        assert patched(old, list(lines_between(*texts))) == new, (old, new)


def test_numbers_of_lines_are_those_of_the_whole_text() -> None:
    old = [str(number) for number in range(100)]
    new = [*old[:50], "new", *old[50:]]
    assert list(lines_between("\n".join(old), "\n".join(new))) == [
        "@@ -50,2 +50,3 @@", " 49", "+new", " 50",
    ]  # fmt: skip


def test_large_texts_with_many_differences_are_not_compared_line_by_line() -> None:
    """A whole comparison of these takes half a minute."""
    old, new = (
        "\n".join(f"{line}\n{name}{line}" for line in range(10_000)) for name in ("old", "new")
    )
    told = list(lines_between(old, new))
    assert told[0] == "@@ -1,20000 +1,20000 @@"
    assert told[1:3] == ["-0", "-old0"]
    assert len(told) == 40_001
