"""What the API answers about searches and about changes of many runs."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from holdfast.model.answers.pages import Related, SelfLink, Text
from holdfast.model.answers.runs import Run


class Match(TypedDict):
    """Where the words of a search are: `log`, `input` or `output`."""

    kind: str
    first_line: NotRequired[int]
    last_line: NotRequired[int]
    dataclip_id: NotRequired[Text]


class FoundRun(TypedDict):
    """A run that a search has found; `lines`: numbers of some lines with one of the words."""

    type: str
    id: str
    attributes: Run
    relationships: dict[str, Related]
    links: SelfLink
    matches: list[Match]
    lines: list[int]


class SearchLinks(TypedDict):
    """Where the search goes on."""

    self: str
    next: Text


class SearchPage(TypedDict):
    """Runs that a search has found."""

    data: list[FoundRun]
    links: SearchLinks


class BulkCount(TypedDict):
    """How many runs there are for a bulk action."""

    total: int
    total_exact: bool


class BulkAction(TypedDict):
    """A retry or cancellation of many runs, and how far it is."""

    id: str
    action: str
    filters: dict[str, str]
    created_by: str
    state: str
    total: int
    total_exact: bool
    done: int
    skipped: int
    problem: Text
    inserted_at: Text
    finished_at: Text


class BulkBegun(TypedDict):
    """A bulk action that was begun, or with `dry_run` a count."""

    data: BulkAction | BulkCount
    dry_run: NotRequired[bool]
