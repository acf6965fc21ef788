"""Names of the parts of a workflow in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.platform.causes import naming
from holdfast.platform.causes.naming import Names
from holdfast.platform.store.database import Connection
from holdfast.platform.web.words import TRIGGERS_WITHIN


def read_names(connection: Connection, *versions: Mapping[str, Any]) -> Names:
    """Of all parts, credentials and keychains in these versions of a workflow."""
    return naming.read_names(connection, *versions, triggers=TRIGGERS_WITHIN)
