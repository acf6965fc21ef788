"""Webhooks that come together are taken in together: one call for all that wait for the writer.

Most requests of a webhook are admitted by what was found of it up to a second before. That it
still is so is looked at here, within the transaction that makes the run: nothing is accepted by a
trigger that has changed.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeAlias

from holdfast.platform.settings import Settings
from holdfast.platform.store import dataclips, idempotency
from holdfast.platform.store.database import Row, Transaction
from holdfast.platform.store.dataclips import NewClip
from holdfast.platform.store.idempotency import Key
from holdfast.platform.store.lanes import DEFAULT, FAST_LANE
from holdfast.platform.store.runs import Created, Start, create_work_orders
from holdfast.platform.store.triggers import find_webhook

Path: TypeAlias = tuple[str, ...]
#: Triggers that are kept, and for how long, seconds.
_MOST, _FRESH = 1000, 1.0


class Hooks:
    """Triggers that were found just now, by path. Only those that everybody may use, with POST."""

    def __init__(self) -> None:
        self._found: OrderedDict[Path, tuple[float, Row]] = OrderedDict()

    def fresh(self, path: Path) -> Row | None:
        at, trigger = self._found.get(path, (0.0, None))
        return trigger if time.monotonic() - at < _FRESH else None

    def keep(self, path: Path, trigger: Row) -> None:
        """It is so now."""
        if trigger.enabled and not trigger.webhook_access:
            self._found[path] = time.monotonic(), trigger
            while len(self._found) > _MOST:
                self._found.popitem(last=False)

    def forget(self, path: Path) -> None:
        self._found.pop(path, None)


@dataclass(frozen=True, slots=True)
class Intake:
    """A request that was admitted. `key` is the sender's name for it."""

    path: Path
    trigger: Row
    body: str
    record: str
    key: str | None
    settings: Settings

    @property
    def named(self) -> Key | None:
        return None if self.key is None else (self.trigger.id, self.key)


def take_in(tx: Transaction, items: list[Intake]) -> list[Created | None]:
    """The work order of each; one that was made before for the same key is found.

    None: the path does not mean the same trigger any more. Raises TakenError.
    """
    triggers = {path: find_webhook(tx.connection, path) for path in {i.path for i in items}}
    good = {n: item for n, item in enumerate(items) if triggers[item.path] == item.trigger}
    names = {n: item.named or n for n, item in good.items()}
    asked = {name for name in names.values() if isinstance(name, tuple)}
    made = dict[Key | int, Created](idempotency.found(tx, asked).items() if asked else ())
    new = {names[n]: item for n, item in good.items() if names[n] not in made}
    fresh = dict(zip(new, _make(tx, [*new.values()]), strict=True))
    idempotency.remember(tx, {k: v for k, v in fresh.items() if isinstance(k, tuple)})
    made |= fresh
    return [made[names[n]] if n in good else None for n in range(len(items))]


def _make(tx: Transaction, items: list[Intake]) -> list[Created]:
    if not items:
        return []
    new = [NewClip(item.trigger.project_id, item.body, item.record) for item in items]
    starts = [
        Start(item.trigger.workflow_id, clip, trigger_id=item.trigger.id, queue=_queue(item))
        for item, clip in zip(items, dataclips.insert_clips(tx, "http_request", new), strict=True)
    ]
    return create_work_orders(tx, starts, items[0].settings)


def _queue(item: Intake) -> str:
    return FAST_LANE if item.trigger.webhook_reply == "after_completion" else DEFAULT
