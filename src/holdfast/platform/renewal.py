"""Renewing tokens of OAuth 2: at the provider, once at a time, and kept before a run gets them."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import Any

from holdfast import log
from holdfast.model.errors import HoldfastError
from holdfast.model.json import JsonObject
from holdfast.platform.access.keys import Keys
from holdfast.platform.clock import SECOND
from holdfast.platform.provider import (
    PATIENCE_SECONDS,
    RefusedError,
    UnreachableError,
    renewed_token,
)
from holdfast.platform.secrets import oauth
from holdfast.platform.store import credentials, oauth_clients
from holdfast.platform.store.credentials import Place
from holdfast.platform.store.database import Connection, Database, Row, Transaction

#: A turn that is not given back ends then: its process has died.
_TURN_SECONDS = 30.0
_LOOK_SECONDS = 0.2
_LATER = "The provider of the credential {!r} could not be reached: try again later."
_REFUSED = (
    "The provider of the credential {!r} does not renew its token ({}): connect it again on the"
    " platform."
)


class RenewalError(HoldfastError):
    """The token cannot be renewed; the message is for the run's author."""


class Renewals:
    """Keeps the tokens of credentials good. One for each platform process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._locks: defaultdict[Place, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def renew(self, row: Row, keys: Keys) -> None:
        """Renew this credential's token if a run could not use it long. Raises RenewalError."""
        if row.oauth_client_id is None:
            return
        place = Place(row.id, await self._database.read(lambda c: _environment(c, row)))
        patience = _TURN_SECONDS + PATIENCE_SECONDS
        try:
            async with self._locks[place], asyncio.timeout(patience):
                while await self._due(place, keys) is not None:
                    if await self._database.write(lambda tx: _take_turn(tx, place)):
                        await self._renew(row, place, keys)
                        return
                    await asyncio.sleep(_LOOK_SECONDS)  # another process has the turn
        except TimeoutError as error:
            raise RenewalError(_LATER.format(row.name)) from error

    async def _due(self, place: Place, keys: Keys) -> JsonObject | None:
        """The token, if it is to be renewed."""
        body = await self._database.read(lambda c: credentials.body_at(c, keys, place))
        return body if body is not None and oauth.is_due(body, time.time()) else None

    async def _renew(self, row: Row, place: Place, keys: Keys) -> None:
        """It is our turn: ask the provider, and keep what it gives. Raises RenewalError."""
        try:
            # read again: the turn may have come after somebody else's
            body = await self._due(place, keys)
            if body is None:
                return
            try:
                answer = await self._answer(row, keys, str(body["refresh_token"]))
            except RenewalError as error:
                log.warn("credential.not_renewed", credential=row.id, why=error.message)
                if oauth.is_useful(body, time.time()):
                    return
                raise
            fresh = oauth.renewed(body, answer, time.time())
            await self._database.write(lambda tx: _keep(tx, keys, place, body, fresh))
            log.info("credential.renewed", credential=row.id)
        finally:
            await self._database.write(lambda tx: oauth_clients.end_turn(tx, place))

    async def _answer(self, row: Row, keys: Keys, refresh_token: str) -> dict[str, Any]:
        """The provider's answer. Raises RenewalError, whose text has nothing secret."""
        client = await self._database.read(
            lambda c: oauth_clients.find(c, str(row.oauth_client_id))
        )
        if client is None:
            message = f"The credential {row.name!r} has no OAuth client: set one on the platform."
            raise RenewalError(message)
        secret = oauth_clients.secret_of(keys, client)
        try:
            return await renewed_token(client, secret, refresh_token)
        except RefusedError as error:
            raise RenewalError(_REFUSED.format(row.name, error.message)) from None
        except UnreachableError:
            raise RenewalError(_LATER.format(row.name)) from None


def _take_turn(tx: Transaction, place: Place) -> bool:
    return oauth_clients.take_turn(tx, place, tx.now + int(_TURN_SECONDS * SECOND))


def _keep(tx: Transaction, keys: Keys, place: Place, old: JsonObject, fresh: JsonObject) -> None:
    """Unless a person has set another value meanwhile."""
    if credentials.body_at(tx.connection, keys, place) == old:
        credentials.put_body(tx, keys, place, fresh)


def _environment(connection: Connection, row: Row) -> str:
    return credentials.environment_of(connection, row.project_id)
