"""How much of the writer long work may have: it follows how long others wait.

Long work is done in steps: a bulk load, a deletion, retention, the index of the search. While
nobody else writes, it has the writer to itself. As soon as others wait longer than they should,
its share and its steps become smaller, down to a floor that it always has.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Others should have their commit within this time, seconds, or within so many times as long as
#: one takes that nothing disturbs: the shortest one, which each later one makes a little longer.
_WAIT, _TIMES, _FORGET = 0.01, 3, 1.01
#: The share of the time that long work always has, and by how much a commit in time adds to it.
_LEAST, _MORE = 0.05, 0.01
#: Nobody else is about after this long, seconds.
_QUIET = 0.25
#: A step that has been due for so long goes before others who wait, seconds.
_PATIENCE = 0.05
#: The smallest step, of a whole one.
_SMALLEST = 0.2


@dataclass(slots=True)
class Pace:
    """Times are seconds of one clock."""

    share: float = 1.0
    _shortest: float = float("inf")
    _seen: float = float("-inf")
    _due: float = float("-inf")

    def served(self, at: float, waited: float, took: float) -> None:
        """A commit of others ended, for which the first of them had waited so long."""
        self._seen = at
        self._shortest = min(self._shortest * _FORGET, took)
        if waited + took > max(_WAIT, _TIMES * self._shortest):
            self.share = max(_LEAST, self.share / 2)
        else:
            self.share = min(1.0, self.share + _MORE)

    def stepped(self, at: float, took: float) -> None:
        """A step of long work ended, and took so long."""
        self._due = at + took * (1 / self.share - 1)

    def rest(self, at: float, since: float, *, others_wait: bool) -> float:
        """How long the next step, which waits since then, must wait still; 0: it may begin."""
        if others_wait:
            return max(0.0, max(self._due, since) + _PATIENCE - at)
        if at - self._seen > _QUIET:
            return 0.0
        return max(0.0, min(self._due, self._seen + _QUIET) - at)

    def step(self, most: int, at: float) -> int:
        """How much of `most` one step may take on."""
        if at - self._seen > _QUIET:
            return most
        return max(1, int(most * max(_SMALLEST, self.share)))
