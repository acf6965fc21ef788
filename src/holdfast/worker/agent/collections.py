"""Which version of the collections adaptor jobs get, where the worker is told none.

The reference asks the registry before it connects, and does not start without an answer. Here it
is asked beside the work: until it answers, and if it never does, what was found before (or came in
a bundle) holds.
"""

from __future__ import annotations

from holdfast import log
from holdfast.adaptors.errors import AutoinstallError
from holdfast.adaptors.specifier import Specifier
from holdfast.adaptors.store import Store
from holdfast.model.adaptor_name import COLLECTIONS
from holdfast.worker.config import WorkerConfig


async def look_up(config: WorkerConfig, store: Store) -> None:
    """Ask the registry anew what the configured tag or range means, and record it."""
    wanted = Specifier(COLLECTIONS, config.collections_version)
    if not config.collections_url or wanted.concrete or wanted.local:
        return
    known = store.resolutions.get(str(wanted))
    try:
        found = Specifier.parse(await store.resolve(str(wanted), refresh=True)).version
    except AutoinstallError as error:
        log.warn("collections.not_looked_up", version=known or "none", why=error.message)
    else:
        log.info("collections.version", version=found)
