"""Tells receivers what is in the outbox of alerts: over HTTP, or by mail.

Each receiver is told by a task of its own and for a bounded time, so that one that hangs keeps no
other waiting. What fails is tried again, later each time, and given up in the end.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Coroutine
from functools import partial

from holdfast import log
from holdfast.model.json import Json, JsonObject
from holdfast.platform import mail, receivers
from holdfast.platform.receivers import NotTold
from holdfast.platform.service import Platform
from holdfast.platform.store import alerts
from holdfast.platform.store.alerts import Event
from holdfast.platform.store.database import Row

_SECONDS = 2.0
#: Between two looks at the age of queues.
_QUEUES_EVERY = 5
#: For one message, and for those of one receiver until no further one is begun. Both together are
#: less than the lease.
_PATIENCE_SECONDS, _TURN_SECONDS = 10.0, 30.0
#: Receivers that are told at the same time.
_AT_ONCE = 100
#: Alerts that one digest lists.
_LISTED = 100
_WORDS = {
    Event.FAILURE: "{workflow} ({project}) failed: {error_type} {error_message}",
    Event.FIRST_FAILURE: "{workflow} ({project}) fails since now: {error_type} {error_message}",
    Event.LOST: "{workflow} ({project}): a run was lost: {error_message}",
    Event.RECOVERY: "{workflow} ({project}) works again",
    Event.QUEUE_AGE: "{project}: a run has waited for {waited_seconds} s",
    Event.TEST: "{project}: this is a test of an alert",
}


async def teller(platform: Platform) -> None:
    """Look every two seconds until cancelled; of several platforms one tells."""
    turn, busy = 0, set[str]()
    async with asyncio.TaskGroup() as tasks:
        while True:
            await asyncio.sleep(_SECONDS)
            try:
                if await platform.lead.is_mine():
                    if turn % _QUEUES_EVERY == 0:
                        await platform.database.write(alerts.look_at_queues)
                    for telling in await due(platform, busy):
                        tasks.create_task(telling)
                    turn += 1
            except Exception as error:  # what is being told goes on
                log.failure("chore.failed", error, name="teller")


async def due(platform: Platform, busy: set[str]) -> list[Coroutine[None, None, None]]:
    """What tells each receiver what is due. Those whose rules are `busy` are being told."""
    if len(busy) >= _AT_ONCE:
        return []
    found = await platform.database.write(
        partial(alerts.take_due, but=frozenset(busy), most=_AT_ONCE - len(busy))
    )
    busy |= {rule.id for rule in found}
    return [_turn(platform, rule, rows, busy) for rule, rows in found.items()]


async def _turn(platform: Platform, rule: Row, rows: list[Row], busy: set[str]) -> None:
    try:
        await _tell(platform, rule, rows)
    except Exception as error:  # they are due again when the lease ends
        log.failure("alert.failed", error, rule=rule.id)
    finally:
        busy.discard(rule.id)


async def _tell(platform: Platform, rule: Row, rows: list[Row]) -> None:
    """One after the other, or all in one; a receiver that fails is not asked again at once."""
    end = time.monotonic() + _TURN_SECONDS
    packs = [rows] if rule.digest_minutes else [[row] for row in rows]
    well = True
    while well and packs:
        well = await _told(platform, rule, packs.pop(0))
        if time.monotonic() >= end:
            break
    if left := [row for pack in packs for row in pack]:
        await platform.database.write(partial(alerts.give_back, rows=left, rest=not well))


async def _told(platform: Platform, rule: Row, pack: list[Row]) -> bool:
    """Whether the receiver has taken it. Whatever goes wrong is a try that failed."""
    try:
        await _send(platform, rule, pack)
    except Exception as error:
        if isinstance(error, NotTold):
            why = str(error)
        else:
            why = f"{type(error).__name__}: the platform's log has more"
            log.failure("alert.failed", error, rule=rule.id)
        lost = await platform.database.write(partial(alerts.failed, rows=pack, problem=why))
        log.warn("alert.not_told", rule=rule.id, why=why, given_up=lost)
        return False
    await platform.database.write(partial(alerts.told, ids=[row.id for row in pack]))
    return True


async def _send(platform: Platform, rule: Row, rows: list[Row]) -> None:
    """Raises NotTold."""
    settings, seconds = platform.settings, _PATIENCE_SECONDS
    told = [described(json.loads(row.body), settings.public_url) for row in rows]
    target, key = platform.keys.decrypt(rule.target), key_of([row.id for row in rows])
    message = digest(told) if rule.digest_minutes else told[0]
    if rule.kind == "mail":
        await mail.send(settings, target, key, message, seconds=seconds)
    else:
        egress = settings.alerts_egress
        await receivers.post(target, key, message, egress=egress, seconds=seconds)


def key_of(ids: list[str]) -> str:
    """The same for each try with the same messages, and for no others."""
    return ids[0] if len(ids) == 1 else str(uuid.uuid5(uuid.NAMESPACE_OID, ",".join(sorted(ids))))


def described(facts: JsonObject, public_url: str | None) -> JsonObject:
    """What a receiver gets of one alert: facts, words, and where to look."""
    known = {name: "" if value is None else value for name, value in facts.items()}
    words = _WORDS[Event(str(facts["event"]))].format_map(known).rstrip(": ")
    url = (
        f"{public_url.rstrip('/')}/runs/{facts['run']}" if public_url and "run" in facts else None
    )
    return {**facts, "text": words, "url": url}


def digest(told: list[JsonObject]) -> JsonObject:
    """Several alerts as one."""
    lines = [str(item["text"]) for item in told[:_LISTED]]
    if (more := len(told) - len(lines)) > 0:
        lines.append(f"and {more} more")
    items: list[Json] = [*told[:_LISTED]]
    return {"event": "digest", "count": len(told), "text": "\n".join(lines), "alerts": items}
