"""The adaptor store: every adaptor once per version, shared by runs and read-only to them.

```
<root>/@openfn/language-http@7.2.10-<digest>/node_modules/…   an adaptor and what it needs
                                             holdfast.json    its record
<root>/resolutions.json                                       what `latest` and ranges became
<root>/.locks, .tmp, .npm                                     locks, unfinished work, downloads
```

The root may be a repository of the reference: what is in it is read too (`aliases.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from holdfast.adaptors import tree
from holdfast.adaptors.aliases import find_alias
from holdfast.adaptors.code_cache import is_outdated, make_anew
from holdfast.adaptors.declared import operations
from holdfast.adaptors.errors import AutoinstallError, StoreError
from holdfast.adaptors.events import Event, InstallEvent, Listener, ignore
from holdfast.adaptors.exports import VERSION as EXPORTS_VERSION
from holdfast.adaptors.exports import exported_names
from holdfast.adaptors.failures import WORDS, from_npm, from_system
from holdfast.adaptors.flatten import Flattener, NotFlatError
from holdfast.adaptors.installer import Installer, place
from holdfast.adaptors.integrity import Verifier
from holdfast.adaptors.local import find_local
from holdfast.adaptors.lock import exclusive, if_free
from holdfast.adaptors.npm import Cause, Npm, NpmError
from holdfast.adaptors.record import METADATA, InstalledAdaptor, Record, read_record
from holdfast.adaptors.resolutions import Resolutions
from holdfast.adaptors.specifier import Specifier, version_order
from holdfast.paths import absolute

_NO_SUCH = (Cause.UNKNOWN_PACKAGE, Cause.UNKNOWN_VERSION)
#: Pauses before a failed request is made again, seconds.
RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0)
#: Installations of different adaptors at one time.
AT_ONCE = 2

T = TypeVar("T")


class Store:
    """Resolves, installs and finds adaptors. One per process; for one event loop at a time.

    `monorepos` are where `name@local` adaptors are (`OPENFN_ADAPTORS_REPO`); `environment` is what
    npm's settings are taken from, by default this process's. `overrides` are exact versions for
    packages that adaptors need, instead of those they ask for (a mirror that lacks one, a fix).
    `flatten` joins each adaptor into one file where that changes nothing but speed; without it,
    those that are joined do not count as installed. Without `aliases` what the reference installed
    under the root does not count either.
    """

    def __init__(
        self,
        root: Path,
        *,
        monorepos: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
        overrides: Mapping[str, str] | None = None,
        retry_seconds: tuple[float, ...] = RETRY_SECONDS,
        flatten: bool = True,
        aliases: bool = True,
    ) -> None:
        self.root = absolute(root)
        self._monorepos = tuple(absolute(path) for path in monorepos)
        self._retry_seconds = retry_seconds
        self._npm = Npm(self.root / ".npm", environment)
        self._flatten = flatten
        flattener = Flattener(self._tools(environment)) if flatten else None
        self._installer = Installer(self.root, self._npm, overrides or {}, flattener)
        self._verifier = Verifier()
        self._records: dict[str, tuple[Path, Record]] = {}
        self._aliases: dict[str, InstalledAdaptor] | None = {} if aliases else None
        self._confirmed: set[str] = set()  # exact versions that the registry knows
        self._tried: set[str] = set()  # adaptors whose outdated code cache was looked at
        self.resolutions = Resolutions(
            self.root / "resolutions.json", self.root / ".locks" / "resolutions"
        )

    async def ensure(
        self,
        specifiers: Iterable[str],
        *,
        on_event: Listener | None = None,
        refresh: bool = False,
    ) -> dict[str, InstalledAdaptor]:
        """Make every adaptor ready, installing what is missing; keyed as they were given.

        What is there already costs neither network nor a lock. `refresh` asks the registry anew
        for tags and ranges. Raises AutoinstallError for the first that fails; the others are
        then stopped.
        """
        listener = on_event or ignore
        gate = asyncio.Semaphore(AT_ONCE)
        wanted = list(dict.fromkeys(specifiers))
        tasks = [asyncio.ensure_future(self._one(s, listener, gate, refresh)) for s in wanted]
        try:
            return dict(zip(wanted, await asyncio.gather(*tasks), strict=True))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def resolve(
        self, specifier: str, *, refresh: bool = False, on_event: Listener | None = None
    ) -> str:
        """The specifier with one exact version: `name@1.2.3` (or `name@local`).

        Tags and ranges are asked from the registry once and recorded. Raises AutoinstallError.
        """
        wanted = Specifier.parse(specifier)
        if wanted.concrete or wanted.local:
            return str(wanted)
        asked = wanted if wanted.version else wanted.at("latest")
        version = None if refresh else self.resolutions.get(str(asked))
        if version is None:
            version = await self._ask(asked, on_event or ignore)
            try:
                await self.resolutions.record({str(asked): version})
            except OSError as error:
                raise from_system(error, specifier) from error
        return str(asked.at(version))

    async def confirm(self, specifier: str) -> str | None:
        """Whether an exact version exists: it is installed, or the registry knows it.

        None when it does; words when the registry cannot be asked at the moment, which is tried
        once. Raises AutoinstallError when there is no such version.
        """
        wanted = Specifier.parse(specifier)
        text = str(wanted)
        if not wanted.concrete or text in self._confirmed or self._candidates(wanted):
            return None
        try:
            versions = await self._npm.versions(text)
        except OSError as error:
            return f"{text} was taken as it is: {from_system(error, text).cause}"
        except NpmError as error:
            failed = from_npm(error, text)
            if error.cause in _NO_SUCH:
                raise failed from None
            return f"{text} was taken as it is: {failed.cause}"
        if not versions:
            message, fix = WORDS[Cause.UNKNOWN_VERSION]
            raise AutoinstallError(message, specifier=text, fix=fix)
        self._confirmed.add(text)
        return None

    def installed(self) -> list[tuple[Path, Record]]:
        """Every adaptor in the store with its folder, by name and version."""
        found = []
        for pattern in (f"*/{METADATA}", f"@*/*/{METADATA}"):
            for path in self.root.glob(pattern):
                if not path.parent.relative_to(self.root).parts[0].startswith("."):
                    try:
                        found.append((path.parent, read_record(path.parent)))
                    except StoreError:
                        continue  # not usable, so not installed; the next install replaces it
        return sorted(found, key=lambda item: (item[1].name, version_order(item[1].version)))

    def folder_of(self, adaptor: InstalledAdaptor) -> Path:
        """The store's folder that holds an adaptor, its record and all it needs."""
        below = adaptor.path.relative_to(self.root).parts
        return self.root.joinpath(*below[: below.index("node_modules")])

    def is_whole(self, folder: Path, record: Record) -> bool:
        """Read all files of an installed adaptor and compare its digest. Blocks."""
        return Verifier().check(folder, record)

    def clear_leftovers(self) -> int:
        """Remove what killed installations left behind; says how many there were."""
        cleared = 0
        work = self.root / ".tmp"
        for leftover in work.iterdir() if work.is_dir() else ():
            with if_free(self.root / ".locks" / leftover.name) as nobodys, suppress(OSError):
                if nobodys:
                    tree.remove(leftover)
                    cleared += 1
        return cleared

    @asynccontextmanager
    async def exclusive(
        self, what: str, *, on_wait: Callable[[], None] | None = None
    ) -> AsyncIterator[tuple[Path, int]]:
        """Hold the lock of `what`, a concrete specifier, with a private working folder.

        Gives the folder, which does not exist yet, and the lock's descriptor.
        """
        name = what.replace("/", "+")
        async with exclusive(self.root / ".locks" / name, on_wait=on_wait) as lock:
            work = self.root / ".tmp" / name
            try:
                yield work / "new", lock
            finally:
                await asyncio.to_thread(tree.remove, work)

    def _tools(self, environment: Mapping[str, str] | None) -> Store:
        """A store of its own for programs that installation uses. Speed only: no retries."""
        folder = self.root / ".tools"
        return Store(
            folder, environment=environment, retry_seconds=(), flatten=False, aliases=False
        )

    async def _one(
        self, text: str, listener: Listener, gate: asyncio.Semaphore, refresh: bool
    ) -> InstalledAdaptor:
        started = time.monotonic()
        try:
            wanted = Specifier.parse(await self.resolve(text, refresh=refresh, on_event=listener))
            if wanted.local:
                return await asyncio.to_thread(find_local, wanted, self._monorepos)
            found = await self.find(wanted)
            if found is not None:
                found = await self._with_cache(wanted, found)
            else:
                found = await self._inherited(wanted)
            if found is not None:
                listener(InstallEvent(Event.PRESENT, text, found.version))
                return found
            async with gate:
                found = await self._install(wanted, listener)
            seconds = time.monotonic() - started
            listener(InstallEvent(Event.INSTALLED, text, found.version, seconds))
        except AutoinstallError as error:
            seconds = time.monotonic() - started
            listener(InstallEvent(Event.FAILED, text, None, seconds, error.cause))
            raise
        return found

    async def find(self, wanted: Specifier) -> InstalledAdaptor | None:
        """The adaptor in exactly this version, if it is in the store and whole."""
        known = self._records.get(str(wanted))
        if known is not None and self._verifier.fresh(*known):
            return known[1].at(known[0])
        for folder, record in self._candidates(wanted):
            if await asyncio.to_thread(self._verifier.check, folder, record):
                known = (folder, await asyncio.to_thread(_described_now, folder, record))
                self._records[str(wanted)] = known
                return known[1].at(folder)
        return None

    async def _inherited(self, wanted: Specifier) -> InstalledAdaptor | None:
        """What the reference's worker has installed under the root."""
        if self._aliases is None:
            return None
        known = self._aliases.get(str(wanted))
        if known is None or not (known.path / known.entry).is_file():
            known = await asyncio.to_thread(find_alias, wanted, self.root)
        if known is not None:
            self._aliases[str(wanted)] = known
        return known

    async def _with_cache(self, wanted: Specifier, found: InstalledAdaptor) -> InstalledAdaptor:
        """The adaptor with a code cache that V8 takes, or as it is where none can be made.

        Tried once in a process. The old folder stays: runs may be about to load from it.
        """
        text = str(wanted)
        if text in self._tried or not self._flatten or not is_outdated(self._records[text][1]):
            return found
        self._tried.add(text)
        with suppress(AutoinstallError, NotFlatError, StoreError, OSError):
            async with self.exclusive(text) as (work, _):
                del self._records[text]
                now = await self.find(wanted)
                if now is not None and is_outdated(self._records[text][1]):
                    renewed = await make_anew(*self._records.pop(text), work)
                    await asyncio.to_thread(place, work, self.root, renewed)
                return await self.find(wanted) or found
        return found

    def _candidates(self, wanted: Specifier) -> list[tuple[Path, Record]]:
        """What the store holds under a name and version, newest installation first."""
        found = []
        for path in self.root.glob(f"{wanted}-*/{METADATA}"):
            try:
                record = read_record(path.parent)
            except StoreError:
                continue
            named = (record.name, record.version) == (wanted.name, wanted.version)
            if named and (self._flatten or record.not_flat):
                found.append((path.parent, record))
        return sorted(found, key=lambda item: item[1].installed_at, reverse=True)

    async def _install(self, wanted: Specifier, listener: Listener) -> InstalledAdaptor:
        text, version = str(wanted), wanted.version

        def waiting() -> None:
            listener(InstallEvent(Event.WAITING, text, version))

        try:
            await asyncio.to_thread(self.clear_leftovers)
            async with self.exclusive(text, on_wait=waiting) as (work, lock):
                found = await self.find(wanted)
                if found is not None:
                    return found  # another task or process was faster
                damaged = [folder for folder, _ in self._candidates(wanted)]
                if damaged:
                    listener(InstallEvent(Event.DAMAGED, text, version))
                listener(InstallEvent(Event.INSTALLING, text, version))
                notes = await self._persist(
                    lambda: self._installer.download(wanted, work, lock), wanted, listener
                )
                folder = await self._installer.finish(wanted, work, notes)
                for old in damaged:
                    if old != folder:
                        await asyncio.to_thread(tree.remove, old)
        except StoreError as error:
            raise AutoinstallError(error.message, specifier=text, fix=error.fix) from error
        except OSError as error:
            raise from_system(error, text) from error
        found = await self.find(wanted)
        if found is None:
            message = f"its files in {folder} changed while they were installed"
            raise AutoinstallError(message, specifier=text, fix="Try again; check the disk.")
        return found

    async def _ask(self, asked: Specifier, listener: Listener) -> str:
        """The highest version the registry knows for a tag or range."""
        try:
            versions = await self._persist(lambda: self._npm.versions(str(asked)), asked, listener)
        except OSError as error:
            raise from_system(error, str(asked)) from error
        if not versions:
            message, fix = WORDS[Cause.UNKNOWN_VERSION]
            raise AutoinstallError(message, specifier=str(asked), fix=fix)
        # A range also lists previews of later versions; nobody who wrote `*` wants one.
        version = max(versions, key=lambda v: ("-" not in v, version_order(v)))
        if not asked.at(version).concrete:
            message = "the registry answered with something that is not a version"
            raise AutoinstallError(message, specifier=str(asked))
        listener(InstallEvent(Event.RESOLVED, str(asked), version))
        return version

    async def _persist(
        self, action: Callable[[], Awaitable[T]], wanted: Specifier, listener: Listener
    ) -> T:
        """Do it, and again after a pause when the network was at fault."""
        for pause in (*self._retry_seconds, None):
            try:
                return await action()
            except NpmError as error:
                if pause is None or not error.cause.transient:
                    raise from_npm(error, str(wanted)) from None
                listener(
                    InstallEvent(Event.RETRYING, str(wanted), wanted.version, pause, error.code)
                )
                await asyncio.sleep(pause)
        raise AssertionError


def _described_now(folder: Path, record: Record) -> Record:
    """The record with its names as this Holdfast reads them, if an older one wrote it."""
    if record.described == EXPORTS_VERSION:
        return record
    package = folder / "node_modules" / record.name
    return replace(record, exports=exported_names(package), operations=operations(package))
