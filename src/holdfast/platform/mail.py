"""Mail to somebody, through the operator's mail server."""

from __future__ import annotations

import asyncio
import smtplib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.message import EmailMessage
from ssl import SSLSocket, create_default_context
from urllib.parse import unquote, urlsplit

from holdfast.model.json import JsonObject
from holdfast.platform.receivers import NotTold
from holdfast.platform.settings import Settings

#: Threads of their own: a mail server that hangs keeps nobody else waiting.
_SENDERS = ThreadPoolExecutor(8, "holdfast-mail")


async def send(
    settings: Settings, to: str, key: str, message: JsonObject, *, seconds: float
) -> None:
    """Send `text` and `url` of a message, with the same key for each try.

    `seconds`: for all of it. A server that is slower may have taken the mail nevertheless; its key
    is the mail's id, so that a mail that comes twice can be known. Raises NotTold.
    """
    if settings.smtp_url is None:
        why = "the platform has no HOLDFAST_SMTP_URL"
        raise NotTold(why)
    mail = _written(settings.mail_from, to, key, message)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            await loop.run_in_executor(_SENDERS, _send, settings.smtp_url, mail, seconds)
    except TimeoutError as error:
        why = f"the mail server did not take it within {seconds:g} s"
        raise NotTold(why) from error
    except (smtplib.SMTPException, OSError) as error:
        why = f"the mail server did not take it ({type(error).__name__})"
        raise NotTold(why) from error


def _written(sender: str, to: str, key: str, message: JsonObject) -> EmailMessage:
    lines = str(message["text"]).splitlines() or [""]
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Message-ID"] = sender, to, f"<{key}@holdfast>"
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    mail["Subject"] = f"[Holdfast] {lines[0]:.150}{more}"
    where = f"\n\n{message['url']}" if message.get("url") else ""
    mail.set_content("\n".join(lines) + where)
    return mail


def _send(url: str, mail: EmailMessage, seconds: float) -> None:
    """Name and password are sent over TLS only. Raises NotTold, SMTPException, OSError."""
    server = urlsplit(url)
    host, port = server.hostname or "", server.port or 0
    client = _connected(server.scheme, host, port, seconds)
    try:
        if server.username:
            if not isinstance(client.sock, SSLSocket):
                why = "the mail server has no TLS: name and password are not sent to it"
                raise NotTold(why)
            client.login(unquote(server.username), unquote(server.password or ""))
        client.send_message(mail)
    finally:
        with suppress(smtplib.SMTPException, OSError):  # how it says goodbye does not matter
            client.quit()
        client.close()


def _connected(scheme: str, host: str, port: int, seconds: float) -> smtplib.SMTP:
    """A connection, over TLS with a certificate that is checked where the server has TLS."""
    context = create_default_context()
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=seconds, context=context)
    client = smtplib.SMTP(host, port, timeout=seconds)
    try:
        client.ehlo_or_helo_if_needed()
        if client.has_extn("starttls"):
            client.starttls(context=context)
    except BaseException:
        client.close()
        raise
    return client
