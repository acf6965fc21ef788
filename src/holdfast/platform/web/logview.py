"""A window of a run's log as its page shows it, and where it stands in the whole."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from holdfast.platform.store import log_windows, logs
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.log_windows import KINDS, Choice
from holdfast.platform.web.language import say, say_many
from holdfast.platform.web.words import LOG_KINDS

#: What one window has: lines, characters of each and of all.
WANTED = logs.Wanted(lines=500, each=4000, together=200_000)
#: Lines before the one that was asked for; lines that a search shows.
_BEFORE, _FOUND = 50, 200
#: Seconds that one search has, and how often a page goes on by itself where nothing was found.
_SEARCH_SECONDS, _ROUNDS = 0.3, 100
_MOST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Asked:
    """What of the log is wanted, as its address says it."""

    choice: Choice = field(default_factory=Choice)
    text: str | None = None
    line: int | None = None
    after: int = 0
    before: int | None = None
    #: Where a search began that goes on by itself, and how often it has gone on.
    begun: int | None = None
    rounds: int = 0
    #: The address says what of the log is wanted.
    chooses: bool = False
    #: Moments between which lines are marked: a chosen operation or request.
    within: tuple[int, int] | None = None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Asked:
        """What makes no sense is left out: addresses are typed, too."""
        kind = query.get("show", "normal")
        return cls(
            Choice(kind if kind in KINDS else "normal", query.get("in") or None),
            (query.get("q") or "").strip()[:500] or None,
            _number(query.get("line")),
            _number(query.get("after")) or 0,
            _number(query.get("before")),
            _number(query.get("from")),
            _number(query.get("rounds")) or 0,
            any(name in query for name in ("show", "in", "q", "line", "after", "before")),
        )

    def of_step(self, step_id: str) -> Asked:
        """The lines of a step that was chosen elsewhere on the page."""
        return replace(self, choice=replace(self.choice, step_id=step_id))

    @property
    def kept(self) -> str:
        """The filters, for addresses of other windows."""
        given = {"show": self.choice.kind, "in": self.choice.step_id, "q": self.text}
        given = {name: value for name, value in given.items() if value and value != "normal"}
        return urlencode(given)


@dataclass(frozen=True, slots=True)
class LogView:
    """See `log_panel.html`."""

    lines: Sequence[Row]
    total: int
    earlier: bool
    later: bool
    first: int
    last: int
    where: str
    empty: str
    choice: Choice
    text: str | None
    line: int | None
    kept: str
    steps: Sequence[tuple[str, str]]
    kinds: Sequence[tuple[str, str]]
    #: Where a search goes on that has not seen the whole log.
    search_on: int | None
    #: It goes on by itself; where it began, and how often it will have gone on.
    goes_on: bool = False
    begun: int = 0
    rounds: int = 0
    within: tuple[int, int] | None = None

    @property
    def at_end(self) -> bool:
        """New lines belong to what is shown."""
        return not self.later and self.text is None

    @property
    def most_rounds(self) -> int:
        """So many rounds stop a search that goes on by itself."""
        return _ROUNDS

    @property
    def after_live(self) -> int:
        """The line after which the page hears of new ones."""
        return self.total


def log_view(
    connection: Connection, run_id: str, asked: Asked, steps: Sequence[tuple[str, str]]
) -> LogView:
    """`steps`: ids and names of the steps that have run."""
    if asked.text is not None:
        return _found(connection, run_id, asked, steps)
    if asked.within is not None and asked.line is None:
        line = log_windows.first_since(connection, run_id, asked.choice, asked.within[0])
        asked = replace(asked, line=line)
    after = asked.after if asked.line is None else max(0, asked.line - 1 - _BEFORE)
    before = asked.before if asked.line is None else None
    seen = log_windows.window(connection, run_id, asked.choice, WANTED, after=after, before=before)
    empty = (
        say("No line yet.") if not seen.total else say("No line of this kind. Show everything.")
    )
    return _view(asked, steps, seen, empty)


def _found(
    connection: Connection, run_id: str, asked: Asked, steps: Sequence[tuple[str, str]]
) -> LogView:
    """Lines that have a text, whatever their kind: a search must not hide what it has found."""
    text = asked.text or ""
    found = _searched(connection, run_id, text, asked.after)
    begun = asked.after if asked.begun is None else min(asked.begun, asked.after)
    lines = log_windows.numbered(connection, run_id, found.numbers, WANTED.each)
    total = logs.count(connection, run_id)
    to = found.searched_to
    if not begun and to is None:
        where = say_many(
            "%(count)s line with “%(text)s” in all %(total)s lines",
            "%(count)s lines with “%(text)s” in all %(total)s lines",
            len(lines), text=text, total=f"{total:,}",
        )  # fmt: skip
    else:
        where = say_many(
            "%(count)s line with “%(text)s” in lines %(first)s to %(last)s of %(total)s",
            "%(count)s lines with “%(text)s” in lines %(first)s to %(last)s of %(total)s",
            len(lines), text=text, first=f"{begun + 1:,}", last=f"{to or total:,}",
            total=f"{total:,}",
        )  # fmt: skip
    seen = log_windows.Window(lines, total, asked.after > 0, to is not None)
    view = _view(asked, steps, seen, say("No line has “%(text)s”.", text=text))
    goes_on = to is not None and not lines and asked.rounds < _ROUNDS
    if lines:  # they are counted: the next search begins behind them
        begun = to or 0
    return replace(
        view, where=where, search_on=to, goes_on=goes_on, begun=begun, rounds=asked.rounds + 1
    )


def _searched(connection: Connection, run_id: str, text: str, after: int) -> logs.Matches:
    """As far as there is time for: a person waits."""
    until = time.monotonic() + _SEARCH_SECONDS
    found = logs.search(connection, run_id, text, after=after, most=_FOUND)
    while not found.numbers and found.searched_to is not None and time.monotonic() < until:
        found = logs.search(connection, run_id, text, after=found.searched_to, most=_FOUND)
    return found


def _view(
    asked: Asked, steps: Sequence[tuple[str, str]], seen: log_windows.Window, empty: str
) -> LogView:
    lines, total = seen.lines, seen.total
    first, last = (lines[0].number, lines[-1].number) if lines else (1, 0)
    hidden = last - first + 1 - len(lines)
    where = say_many("%(count)s line", "%(count)s lines", total)
    if lines:
        where = say("lines %(first)s to %(last)s of %(total)s",
                    first=f"{first:,}", last=f"{last:,}", total=f"{total:,}")  # fmt: skip
    if lines and hidden and asked.text is None:
        where += " · " + say("%(many)s of them hidden: Show everything", many=f"{hidden:,}")
    return LogView(
        lines, total, seen.earlier, seen.later, first, last, where, empty, asked.choice,
        asked.text, asked.line, asked.kept, steps, [(kind, LOG_KINDS[kind]) for kind in KINDS],
        None, within=asked.within,
    )  # fmt: skip


def _number(text: str | None) -> int | None:
    """A line's number; people write 73,412, too."""
    plain = (text or "").replace(",", "").replace(" ", "")
    return (
        min(int(plain), _MOST) if plain.isascii() and plain.isdigit() and len(plain) < 12 else None
    )
