"""Filters and pages of runs and of work orders, as a query names them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from holdfast.model.errors import HoldfastError
from holdfast.model.outcome import RunState
from holdfast.platform.clock import from_iso
from holdfast.platform.store.history import UNSUCCESSFUL, Filters, Place, Range, Wanted

_FINAL = tuple(state.value for state in RunState if state.final)
RUN_STATES = tuple(state.value for state in RunState)
ORDER_STATES = ("pending", "running", *_FINAL)
_EQUAL = ("project_id", "workflow_id", "work_order_id", "error_type", "worker", "id_begins")
#: What may be asked of both lists, beside times and pages.
FILTERS = ("state", *_EQUAL, "min_duration_ms", "max_duration_ms", "min_memory_mb",
           "max_memory_mb")  # fmt: skip
#: Where in the list a page stands: after or before an entry, or at the end.
PLACES = ("after", "before", "last")
#: The beginning of an id, and nothing else.
ID = re.compile(r"[0-9a-fA-F-]{1,36}")
_MEGABYTE = 1_000_000
_LONGEST = 255


class BadFilter(HoldfastError):  # noqa: N818 - said of the request
    """A query parameter cannot be understood."""


def whole_number(text: str, name: str, *, least: int = 0, most: int = 10**9) -> int:
    """A number of a query. Raises BadFilter that names it."""
    if (
        not text.isascii()
        or not text.isdigit()
        or len(text) > 19
        or not least <= int(text) <= most
    ):
        message = f"{name} must be a whole number from {least} to {most}"
        raise BadFilter(message)
    return int(text)


def moment(text: str, name: str) -> int:
    """Microseconds of an ISO 8601 time. Raises BadFilter."""
    try:
        return from_iso(text)
    except ValueError as error:
        message = f"{name} must be an ISO 8601 date and time"
        raise BadFilter(message) from error


def page_of(given: Mapping[str, str], limit: int) -> Wanted:
    """The page that `after`, `before` or `last` names, or the newest. Raises BadFilter."""
    after, before = (_place(given, name) for name in ("after", "before"))
    last = given.get("last", "") in {"1", "true"}
    if sum([after is not None, before is not None, last]) > 1:
        message = "after, before and last cannot be asked for together"
        raise BadFilter(message)
    return Wanted(limit, after, before, last=last)


def filters_of(
    given: Mapping[str, str], states: tuple[str, ...], visible: frozenset[str] | None
) -> Filters:
    """The filters that a query names. Raises BadFilter, which names what it cannot understand."""
    equal: dict[str, Any] = {name: _text(given, name) for name in _EQUAL if given.get(name)}
    return Filters(
        states=_states(given.get("state", ""), states),
        inserted=_times(given, "inserted"),
        updated=_times(given, "updated"),
        duration_ms=_range(given, "min_duration_ms", "max_duration_ms"),
        memory=_range(given, "min_memory_mb", "max_memory_mb", _MEGABYTE),
        visible=visible,
        **equal,
    )


def _text(given: Mapping[str, str], name: str) -> str:
    text = given[name]
    if len(text) > _LONGEST or not text.isprintable():
        message = f"{name} must be a text of at most {_LONGEST} characters"
        raise BadFilter(message)
    return text


def _states(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    named = [name for name in text.split(",") if name]
    if unknown := set(named) - {*known, "unsuccessful"}:
        message = f"state {min(unknown)!r} is none of unsuccessful, {', '.join(known)}"
        raise BadFilter(message)
    found = [
        state for name in named for state in (UNSUCCESSFUL if name == "unsuccessful" else [name])
    ]
    return tuple(dict.fromkeys(found))


def _times(given: Mapping[str, str], name: str) -> Range:
    ends = (f"{name}_after", f"{name}_before")
    return Range(*(moment(given[key], key) if given.get(key) else None for key in ends))


def _range(given: Mapping[str, str], least: str, most: str, unit: int = 1) -> Range:
    ends = (
        whole_number(given[key], key) * unit if given.get(key) else None for key in (least, most)
    )
    found = Range(*ends)
    if found.least is not None and found.most is not None and found.least > found.most:
        message = f"{least} must not be more than {most}"
        raise BadFilter(message)
    return found


def _place(given: Mapping[str, str], name: str) -> Place | None:
    """`time.id`, as links have it. Raises BadFilter."""
    if not (text := given.get(name)):
        return None
    at, dot, key = text.partition(".")
    if not dot or len(key) > 36 or not key.isprintable():
        message = f"{name} must be what a link of this list has there"
        raise BadFilter(message)
    return Place(whole_number(at, name, most=2**62), key)
