"""What the API answers in general: pages of items, one, many."""

from __future__ import annotations

from typing import Any, Generic, NotRequired, TypedDict, TypeVar

T = TypeVar("T")
Text = str | None
Number = int | None


class RelatedId(TypedDict):
    """The id of something else."""

    id: str


class Related(TypedDict):
    """A relationship of an item."""

    data: RelatedId


class SelfLink(TypedDict):
    """Where an item is to be had."""

    self: str


class Item(TypedDict, Generic[T]):
    """An entry of the read API."""

    type: str
    id: str
    attributes: T
    relationships: dict[str, Related]
    links: SelfLink


class PageMeta(TypedDict):
    """Which part of a list this is, counted from 1."""

    total_entries: int
    total_pages: int
    page_number: Number  # none of a page that `after`, `before` or `last` asks for
    page_size: int
    exact: NotRequired[bool]  # false: there may be more entries than were counted


class PageLinks(TypedDict):
    """Addresses of other parts of the list."""

    self: Text
    first: Text
    prev: Text
    next: Text
    last: Text


class Page(TypedDict, Generic[T]):
    """One part of a list."""

    data: list[T]
    included: list[Any]
    meta: PageMeta
    links: PageLinks


class One(TypedDict, Generic[T]):
    """One thing."""

    data: T


class Many(TypedDict, Generic[T]):
    """All of a short list."""

    data: list[T]
