"""The platform as one object: settings, keys, database, watchers, workers, and who does chores."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from holdfast import log
from holdfast.adaptors.errors import AutoinstallError
from holdfast.adaptors.location import default_store_root
from holdfast.adaptors.store import Store as AdaptorStore
from holdfast.model.json import JsonObject
from holdfast.platform.access.keys import Keys, load_keys
from holdfast.platform.access.passwords import Passwords
from holdfast.platform.access.places import Places
from holdfast.platform.access.rates import Rates
from holdfast.platform.access.sessions import Sessions
from holdfast.platform.access.single_sign_on import SignOn
from holdfast.platform.access.turns import Turns
from holdfast.platform.clock import now
from holdfast.platform.figures import Figures
from holdfast.platform.hub import Hub
from holdfast.platform.renewal import Renewals
from holdfast.platform.scrubbing import Scrubber, Scrubbers
from holdfast.platform.secrets import schemas
from holdfast.platform.secrets.schemas import Schema, SchemaError
from holdfast.platform.settings import Settings
from holdfast.platform.start.intake import Hooks
from holdfast.platform.store import liveness
from holdfast.platform.store.database import Database
from holdfast.platform.store.lead import Lead
from holdfast.platform.store.notice import Notice
from holdfast.platform.store.workers import known_workers
from holdfast.platform.workers.registry import Workers

#: `name@latest` -> `name@1.2.3`.
Resolve = Callable[[str], Awaitable[str]]
#: Raises when an exact version does not exist; words when nobody could be asked.
Confirm = Callable[[str], Awaitable[str | None]]
#: What is done beside requests, until it is cancelled.
Chore = Callable[["Platform"], Awaitable[None]]
#: New runs that come together wake the workers together, seconds.
_WAKE_SECONDS = 0.005


class Platform:
    """Made by `create_app`; `start` and `stop` follow the ASGI lifespan."""

    def __init__(
        self,
        settings: Settings,
        *,
        resolve: Resolve | None = None,
        confirm: Confirm | None = None,
    ) -> None:
        self.settings = settings
        self.keys: Keys = load_keys(settings.data)
        self.hub = Hub()
        self.workers = Workers()
        self.figures = Figures()
        self.database = Database(settings.database, self._committed, self.figures.wrote)
        #: Of this process, for others that serve the same database.
        self.id = self.database.id
        self.lead = Lead(self.database)
        #: Held by who makes runs searchable: one at a time.
        self.indexing = asyncio.Lock()
        #: What was removed is in the database's files still, as somebody read them.
        self.to_forget = False
        self._listener = self.database.listener(
            self.hub.publish_from_thread, self.hub.missed_from_thread
        )
        self.sessions = Sessions(
            self.database, self.keys.admin_token, settings.session_hours * 3600
        )
        self.sign_on: SignOn | None = None
        if settings.oidc_issuer is not None:
            # Its library takes a tenth of a second to load.
            from holdfast.platform.access.openid_connect import OpenIdConnect  # noqa: PLC0415

            self.sign_on = OpenIdConnect(
                settings.oidc_issuer, settings.oidc_client_id or "", settings.oidc_client_secret
            )
        self.renewals = Renewals(self.database)
        self.passwords, self.rates = Passwords(), Rates.of(settings)
        store = AdaptorStore(default_store_root(os.environ, settings.data))
        self.adaptors = store
        #: Adaptors are installed to read their schemas only where versions come from the registry.
        self._installs = resolve is None
        self.resolve = resolve or store.resolve
        #: Whoever resolves versions in another way knows which there are.
        self.confirm = confirm or (store.confirm if resolve is None else _taken)
        #: Live pages, by session; webhooks that wait for their run, by trigger.
        self.streams, self.waiting = Places(256, 32), Places(256, 256)
        self.hooks = Hooks()
        #: Checks of code start a process each: two at once, one for each who asks.
        self.checks = Turns(2, 16, 3)
        #: Of runs whose channels are open, by run.
        self.run_scrubbers: dict[str, Scrubber] = {}
        #: Of documents that people look at.
        self.scrubbers = Scrubbers()
        self.started_at = 0
        self._chores: list[asyncio.Task[None]] = []

    async def start(self, *chores: Chore) -> None:
        """Migrate, then begin. Raises DatabaseError."""
        self.hub.start()
        await asyncio.to_thread(self.database.open)
        self.started_at = now()
        if self._listener is not None:
            self._listener.start()
        try:
            await self.database.write(lambda tx: liveness.begin(tx, self.id))
        except BaseException:
            await self.stop()
            raise
        for chore in (_wake_workers, _show_life, *chores):
            self._chores.append(asyncio.create_task(self._keep_going(chore)))

    async def stop(self) -> None:
        for task in self._chores:
            task.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        await self.lead.close()
        if self._listener is not None:
            await asyncio.to_thread(self._listener.stop)
        self.database.submit(lambda tx: liveness.end(tx, self.id))
        await asyncio.to_thread(self.database.close)

    def _committed(self, notices: list[Notice]) -> None:
        self.figures.committed(notices)
        self.hub.publish_from_thread(notices)

    async def known_workers(self, visible: frozenset[str] | None) -> list[JsonObject]:
        """Workers for people, with their runs of the projects that may be seen."""
        return await self.database.read(lambda c: known_workers(c, now(), visible))

    async def schema_names(self) -> list[str]:
        """Names of all schemas of credentials that are here."""
        return await asyncio.to_thread(
            lambda: schemas.names(self.adaptors.installed(), self.settings.schemas_path)
        )

    async def schema(self, name: str) -> Schema:
        """A schema of credentials; its adaptor is installed if it must be. Raises SchemaError."""

        def find() -> Schema:
            return schemas.find(name, self.adaptors.installed(), self.settings.schemas_path)

        try:
            return await asyncio.to_thread(find)
        except SchemaError:
            package = schemas.adaptor_of(name)
            if package is None or not self._installs:
                raise
            try:
                await self.adaptors.ensure([f"{package}@latest"])
            except AutoinstallError as error:
                message = f"there is no schema {name!r}: {error.message}"
                raise SchemaError(message) from error
            return await asyncio.to_thread(find)

    async def _keep_going(self, chore: Chore) -> None:
        """A chore that fails is reported and begun again: the platform lives on."""
        while True:
            try:
                await chore(self)
            except Exception as error:
                log.failure("chore.failed", error, name=getattr(chore, "__name__", chore))
                await asyncio.sleep(1.0)
            else:
                return


async def _taken(_specifier: str) -> None:
    """Every version is taken to exist."""


async def _show_life(platform: Platform) -> None:
    while True:
        await asyncio.sleep(liveness.PULSE_SECONDS)
        await platform.database.write(lambda tx: liveness.pulse(tx, platform.id))
        if platform.settings.part is not None:  # another process may be asked for our figures
            leads = await platform.lead.is_mine()
            platform.figures.here(waiting=platform.database.waiting, leads=leads)


async def _wake_workers(platform: Platform) -> None:
    with platform.hub.watch("queue") as notices:
        while True:
            news = [await notices.get()]
            while not notices.empty():
                news.append(notices.get_nowait())
            if platform.hub.closed:
                return
            for notice in news:
                if notice.what == "cancel":
                    platform.workers.cancel(notice.data["run_id"], notice.data["reason"])
            if runs := sum(notice.what != "cancel" for notice in news):
                platform.workers.wake(runs)
            await asyncio.sleep(_WAKE_SECONDS)
