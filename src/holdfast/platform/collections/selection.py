"""Which items of a collection a request means, from its query parameters.

The cursor is the number of the last item of a page. Beyond Lightning: deleting many honours the
date filters, `updatedAfter` and `updatedBefore` are understood, and so are dates without a time.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from holdfast.platform.store.collections import Bound, Selection
from holdfast.platform.store.database import Row
from holdfast.platform.store.history_query import BadFilter, moment, whole_number

DEFAULT_LIMIT = 1000
#: Parameter -> column and whether it is a lower bound.
_TIMES = {
    "created_after": ("inserted_at", True),
    "created_before": ("inserted_at", False),
    "updated_after": ("updated_at", True),
    "updated_before": ("updated_at", False),
    "updatedAfter": ("updated_at", True),
    "updatedBefore": ("updated_at", False),
}


def selection(parameters: Mapping[str, str]) -> Selection:
    """From query parameters. Raises BadFilter for unknown or malformed ones."""
    pattern, bounds = parameters.get("key"), []
    limit, after = DEFAULT_LIMIT, 0
    for name, text in parameters.items():
        if name in _TIMES:
            column, lower = _TIMES[name]
            bounds.append(Bound(column, lower, moment(text, name)))
        elif name == "limit":
            limit = whole_number(text, name, least=1, most=1_000_000)
        elif name == "cursor":
            after = _number(text)
        elif name not in {"key", "project_id"}:
            message = f"unknown parameter {name!r}"
            raise BadFilter(message)
    return Selection(pattern, tuple(bounds), limit, after)


def cursor_of(item: Row) -> str:
    return base64.b64encode(str(item.id).encode()).decode()


def _number(cursor: str) -> int:
    try:
        text = base64.b64decode(cursor, validate=True).decode()
        return whole_number(text, "cursor", most=2**63 - 1)
    except (binascii.Error, UnicodeDecodeError, ValueError, BadFilter) as error:
        message = "cursor is not one of ours"
        raise BadFilter(message) from error
