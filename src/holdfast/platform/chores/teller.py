"""Tells receivers what is in the outbox of alerts: over HTTP, or by mail.

Each receiver is tried by itself and for a bounded time, so that one that hangs keeps no other
waiting. What fails is tried again, later each time, and given up in the end.
"""

from __future__ import annotations

import asyncio
import json
import smtplib
from email.message import EmailMessage
from functools import partial
from ssl import SSLSocket, create_default_context
from urllib.parse import unquote, urlsplit

from holdfast import log
from holdfast.model.json import Json, JsonObject
from holdfast.platform import receivers
from holdfast.platform.receivers import NotTold
from holdfast.platform.service import Platform
from holdfast.platform.settings import Settings
from holdfast.platform.store import alerts
from holdfast.platform.store.alerts import Event
from holdfast.platform.store.database import Row

_SECONDS = 2.0
#: Between two looks at the age of queues.
_QUEUES_EVERY = 5
_PATIENCE_SECONDS = 10.0
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
    turn = 0
    while True:
        await asyncio.sleep(_SECONDS)
        if await platform.lead.is_mine():
            if turn % _QUEUES_EVERY == 0:
                await platform.database.write(alerts.look_at_queues)
            await tell_due(platform)
            turn += 1


async def tell_due(platform: Platform) -> None:
    """Tell everybody what is due."""
    due = await platform.database.write(alerts.take_due)
    await asyncio.gather(*(_tell(platform, rule, rows) for rule, rows in due.items()))


async def _tell(platform: Platform, rule: Row, rows: list[Row]) -> None:
    """One after the other, or all in one; a receiver that fails is not asked again at once."""
    packs = [rows] if rule.digest_minutes else [[row] for row in rows]
    for place, pack in enumerate(packs):
        try:
            await send(platform, rule, pack)
        except NotTold as error:
            left = [row for one in packs[place:] for row in one]
            lost = await platform.database.write(
                partial(alerts.failed, rows=left, problem=str(error))
            )
            log.warn("alert.not_told", rule=rule.id, why=error, given_up=lost)
            return
        await platform.database.write(partial(alerts.told, ids=[row.id for row in pack]))


async def send(platform: Platform, rule: Row, rows: list[Row]) -> None:
    """Raises NotTold."""
    told = [described(json.loads(row.body), platform.settings.public_url) for row in rows]
    target = platform.keys.decrypt(rule.target)
    message = digest(told) if rule.digest_minutes else told[0]
    if rule.kind == "mail":
        await asyncio.to_thread(_mail, platform.settings, target, message)
    else:
        await receivers.post(
            target,
            rows[0].id,
            message,
            egress=platform.settings.alerts_egress,
            seconds=_PATIENCE_SECONDS,
        )


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


def _mail(settings: Settings, to: str, message: JsonObject) -> None:
    """Raises NotTold."""
    if settings.smtp_url is None:
        message_ = "the platform has no HOLDFAST_SMTP_URL"
        raise NotTold(message_)
    lines = str(message["text"]).splitlines() or [""]
    mail = EmailMessage()
    mail["From"], mail["To"] = settings.mail_from, to
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    mail["Subject"] = f"[Holdfast] {lines[0]:.150}{more}"
    where = f"\n\n{message['url']}" if message.get("url") else ""
    mail.set_content("\n".join(lines) + where)
    server = urlsplit(settings.smtp_url)
    try:
        with _mail_server(server.scheme, server.hostname or "", server.port or 0) as client:
            if server.username:
                if not isinstance(client.sock, SSLSocket):
                    message_ = "the mail server has no TLS: name and password are not sent to it"
                    raise NotTold(message_)
                client.login(unquote(server.username), unquote(server.password or ""))
            client.send_message(mail)
    except (smtplib.SMTPException, OSError) as error:
        message_ = f"the mail server did not take it ({type(error).__name__})"
        raise NotTold(message_) from error


def _mail_server(scheme: str, host: str, port: int) -> smtplib.SMTP:
    """A connection, over TLS with a certificate that is checked where the server has TLS."""
    context = create_default_context()
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=_PATIENCE_SECONDS, context=context)
    client = smtplib.SMTP(host, port, timeout=_PATIENCE_SECONDS)
    try:
        client.ehlo_or_helo_if_needed()
        if client.has_extn("starttls"):
            client.starttls(context=context)
    except BaseException:
        client.close()
        raise
    return client
