"""What regular expressions over large texts are built with."""

from __future__ import annotations


def loop(*alternatives: str) -> str:
    """A pattern: any of these, again and again, and nothing of it is ever given back.

    It takes no memory per round, as a greedy loop does. The alternative that cannot match is for
    CPython before 3.11.5, which goes on behind what the last, failed try has read (cpython issue
    106052): trying one more alternative puts the position back.
    """
    return f"(?:{'|'.join(alternatives)}|(?!))*+"
