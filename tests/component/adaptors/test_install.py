"""Installation against a registry of our own: what can go wrong, and what must not happen."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.adaptors import AutoinstallError, Event, InstallEvent, Store
from holdfast.adaptors.lock import if_free
from support.registry import Registry, serve
from support.store_room import NAME, Room
from support.waiting import eventually, until


async def test_a_package_is_installed_without_running_its_scripts(
    room: Room, registry: Registry, tmp_path: Path
) -> None:
    trap = tmp_path / "script-has-run"
    scripts = dict.fromkeys(("preinstall", "install", "postinstall"), f"touch {trap}")
    registry.publish(NAME, "1.0.0", scripts=scripts)
    assert await room.ensure(f"{NAME}@1.0.0") == [f"{NAME}@1.0.0"]
    assert room.events() == [Event.INSTALLING, Event.INSTALLED]
    assert not trap.exists()
    assert room.leftovers() == []
    (folder, record) = room.store.installed()[0]
    assert room.store.is_whole(folder, record)
    checksum = record.packages[f"node_modules/{NAME}"]["integrity"]
    assert checksum == registry.packages[NAME]["versions"]["1.0.0"]["dist"]["integrity"]


async def test_a_setting_that_hides_origins_in_lock_files_changes_nothing(
    tmp_path: Path, registry: Registry
) -> None:
    settings = tmp_path / "npmrc"
    settings.write_text("omit-lockfile-registry-resolved=true\n")
    room = Room(tmp_path, registry)
    room.environment |= {"npm_config_userconfig": str(settings)}
    room.store = room.another()
    registry.publish("needed", "1.0.0")
    registry.publish(NAME, "1.0.0", dependencies={"needed": "1.0.0"})
    assert await room.ensure(f"{NAME}@1.0.0") == [f"{NAME}@1.0.0"]


async def test_what_is_there_needs_no_registry(room: Room, registry: Registry) -> None:
    registry.publish(NAME, "1.0.0")
    await room.ensure(f"{NAME}@latest")
    registry.asked.clear()
    room.store = room.another()
    assert await room.ensure(f"{NAME}@latest", f"{NAME}@1.0.0", NAME) == [f"{NAME}@1.0.0"] * 3
    assert room.events() == [Event.PRESENT] * 3
    assert registry.asked == []


async def test_latest_is_resolved_once_and_anew_when_asked(room: Room, registry: Registry) -> None:
    registry.publish(NAME, "1.0.0")
    await room.ensure(f"{NAME}@latest")
    registry.publish(NAME, "2.0.0")
    assert await room.ensure(f"{NAME}@latest") == [f"{NAME}@1.0.0"]
    assert await room.ensure(f"{NAME}@latest", refresh=True) == [f"{NAME}@2.0.0"]
    assert await room.ensure(NAME) == [f"{NAME}@2.0.0"]


async def test_a_range_means_its_highest_version_by_semantic_order(
    room: Room, registry: Registry
) -> None:
    for version in ("9.10.0", "9.11.0-rc.1", "9.9.0", "8.0.0"):
        registry.publish(NAME, version)
    assert await room.store.resolve(f"{NAME}@^9.0.0") == f"{NAME}@9.10.0"
    assert await room.store.resolve(f"{NAME}@8.x") == f"{NAME}@8.0.0"
    with pytest.raises(AutoinstallError, match="has no package or version of this name"):
        await room.store.resolve(f"{NAME}@^12.0.0")


async def test_an_exact_version_exists_or_is_taken_with_a_word(tmp_path: Path) -> None:
    with serve() as registry:
        room = Room(tmp_path, registry)
        registry.publish(NAME, "1.0.0")
        assert await room.store.confirm(f"{NAME}@1.0.0") is None
        for missing in (f"{NAME}@1.0.1", "@openfn/language-none@1.0.0"):
            with pytest.raises(AutoinstallError, match=r"no such version|of this name"):
                await room.store.confirm(missing)
    assert await room.store.confirm(f"{NAME}@1.0.0") is None
    words = await Room(tmp_path / "other", registry).store.confirm(f"{NAME}@1.0.1")
    assert words == f"{NAME}@1.0.1 was taken as it is: the npm registry cannot be reached"


async def test_a_version_published_later_is_found(room: Room, registry: Registry) -> None:
    registry.publish(NAME, "1.0.0")
    await room.ensure(f"{NAME}@1.0.0")
    registry.publish(NAME, "1.0.1")
    assert await room.ensure(f"{NAME}@1.0.1") == [f"{NAME}@1.0.1"]


async def test_users_of_the_runs_may_read_whatever_our_umask(
    room: Room, registry: Registry
) -> None:
    registry.publish(NAME, "1.0.0")
    before = os.umask(0o077)
    try:
        await room.ensure(f"{NAME}@1.0.0")
    finally:
        os.umask(before)
    folder, _ = room.store.installed()[0]
    entry = folder / "node_modules" / NAME / "index.js"
    for path in (room.root, folder.parent, folder, entry.parent):
        assert path.stat().st_mode & 0o777 in (0o755, 0o555), path
    assert entry.stat().st_mode & 0o777 == 0o444


async def test_versions_stand_side_by_side(room: Room, registry: Registry) -> None:
    for version in ("1.0.0", "2.0.0"):
        registry.publish(NAME, version, files={"index.js": f"exports.version = '{version}';"})
    await room.ensure(f"{NAME}@1.0.0", f"{NAME}@2.0.0")
    found = await room.store.ensure([f"{NAME}@1.0.0", f"{NAME}@2.0.0"])
    for adaptor in found.values():
        assert adaptor.version in (adaptor.path / adaptor.entry).read_text()


@pytest.mark.parametrize(
    ("specifier", "cause"),
    [
        ("@openfn/language-nonesuch@1.0.0", "has no package or version of this name"),
        (f"{NAME}@9.9.9", "this package has no such version"),
        (f"{NAME}@nosuchtag", "has no package or version of this name|no such version"),
        (f"{NAME}@1.0.0", "it needs helper@3.0.0: this package has no such version"),
        (f"{NAME}@2.0.0", "it needs missing@1.0.0: .* no package"),
    ],
)
async def test_what_the_registry_does_not_have_is_named(
    room: Room, registry: Registry, specifier: str, cause: str
) -> None:
    registry.publish("helper", "1.0.0")
    registry.publish(NAME, "1.0.0", dependencies={"helper": "3.0.0"})
    registry.publish(NAME, "2.0.0", dependencies={"missing": "1.0.0"})
    with pytest.raises(AutoinstallError, match=cause) as caught:
        await room.ensure(specifier)
    assert caught.value.message.startswith(f"Error installing {specifier}: ")
    assert "\n" not in caught.value.message
    assert not caught.value.transient
    assert Event.RETRYING not in room.events()
    assert room.events()[-1] is Event.FAILED
    assert room.store.installed() == []


async def test_a_registry_that_recovers_is_asked_again(room: Room, registry: Registry) -> None:
    registry.publish(NAME, "1.0.0")
    registry.statuses += [500, 503]
    assert await room.ensure(f"{NAME}@1.0.0") == [f"{NAME}@1.0.0"]
    assert room.events().count(Event.RETRYING) == 2


async def test_a_registry_that_stays_down_is_the_error(room: Room, registry: Registry) -> None:
    registry.statuses += [500] * 20
    with pytest.raises(AutoinstallError, match="does not answer properly") as caught:
        await room.ensure(f"{NAME}@1.0.0")
    assert caught.value.transient
    assert room.events().count(Event.RETRYING) == 2


async def test_an_unreachable_registry_is_the_error_without_its_address(tmp_path: Path) -> None:
    with serve() as registry:
        room = Room(tmp_path, registry)
    room.environment["npm_config_//127.0.0.1/:_authToken"] = "s3cr3t-t0ken"
    room.environment["npm_config_registry"] = registry.address.replace("//", "//user:pa55@")
    room.store = room.another()
    with pytest.raises(AutoinstallError, match="the npm registry cannot be reached") as caught:
        await room.ensure(f"{NAME}@1.0.0")
    told = str(caught.value) + repr(room.news)
    for private in ("s3cr3t", "pa55", "127.0.0.1", "npm install", str(tmp_path)):
        assert private not in told


async def test_a_package_that_was_changed_on_the_way_is_not_installed(
    room: Room, registry: Registry
) -> None:
    registry.publish(NAME, "1.0.0", tampered=True)
    with pytest.raises(AutoinstallError, match="does not match its checksum"):
        await room.ensure(f"{NAME}@1.0.0")
    assert room.store.installed() == []
    assert room.leftovers() == []


async def test_tasks_that_want_the_same_adaptor_share_one_installation(
    room: Room, registry: Registry
) -> None:
    registry.publish(NAME, "1.0.0")
    news: list[InstallEvent] = []

    async def together() -> None:
        await asyncio.gather(
            *(room.another().ensure([f"{NAME}@1.0.0"], on_event=news.append) for _ in range(4))
        )

    await together()
    assert len(registry.downloads()) == 1
    assert [n.event for n in news].count(Event.INSTALLING) == 1
    assert [n.event for n in news].count(Event.WAITING) == 3


PROCESS = """
import asyncio, os, sys
from pathlib import Path
from holdfast.adaptors import Store
store = Store(Path(sys.argv[1]))
print(*asyncio.run(store.ensure([sys.argv[2]])), flush=True)
"""


def start(room: Room, specifier: str) -> subprocess.Popen[str]:
    environment = os.environ | room.environment
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(room.root), specifier],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_that_want_the_same_adaptor_share_one_installation(
    room: Room, registry: Registry
) -> None:
    registry.publish(NAME, "1.0.0")
    registry.gate.clear()
    processes = [start(room, f"{NAME}@1.0.0") for _ in range(2)]
    eventually(registry.downloads, "the first download")
    registry.gate.set()
    for process in processes:
        assert process.communicate(timeout=60)[0].strip() == f"{NAME}@1.0.0"
    assert len(registry.downloads()) == 1


async def test_a_killed_installation_leaves_nothing_that_hurts(
    room: Room, registry: Registry
) -> None:
    registry.publish(NAME, "1.0.0")
    registry.gate.clear()
    with start(room, f"{NAME}@1.0.0") as process:
        eventually(registry.downloads, "the first download")
        process.send_signal(signal.SIGKILL)
    assert room.leftovers() != []
    # npm lives on; it keeps the lock, so that nobody works in the same folder.
    assert room.store.clear_leftovers() == 0
    registry.gate.set()
    assert await room.ensure(f"{NAME}@1.0.0") == [f"{NAME}@1.0.0"]
    assert room.leftovers() == []


async def test_leftovers_of_the_dead_are_cleared(room: Room, registry: Registry) -> None:
    registry.publish(NAME, "1.0.0")
    left = room.root / ".tmp" / "gone@1.0.0" / "new" / "node_modules"
    left.mkdir(parents=True, mode=0o555)
    room.store.clear_leftovers()
    assert room.leftovers() == []
    left.mkdir(parents=True, mode=0o555)
    await room.ensure(f"{NAME}@1.0.0")
    assert room.leftovers() == []


async def test_a_cancelled_installation_ends_npm_and_leaves_nothing(
    room: Room, registry: Registry
) -> None:
    registry.publish(NAME, "1.0.0")
    registry.gate.clear()

    async def cancelled() -> None:
        task = asyncio.ensure_future(room.store.ensure([f"{NAME}@1.0.0"]))
        await until(registry.downloads, "the first download")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    await cancelled()
    assert room.leftovers() == []
    locks = list((room.root / ".locks").iterdir())
    assert locks
    for lock in locks:
        with if_free(lock) as free:
            assert free


#: Where a dependency may point to, in which part of a manifest, and what the error says.
FOREIGN = "not from the registry"
ELSEWHERE = {
    "address": ("ADDRESS/evil.tgz", "dependencies", FOREIGN),
    "git over http": ("git+http://HOST/evil.git", "dependencies", FOREIGN),
    "github": ("someone/evil", "peerDependencies", FOREIGN),
    "folder": ("file:../../..", "dependencies", FOREIGN),
    "alias": ("npm:evil@ADDRESS/evil.tgz", "dependencies", "exit status 1"),
    # npm goes on without what it may not have
    "optional": ("ADDRESS/evil.tgz", "optionalDependencies", None),
}


@pytest.mark.parametrize("what", ELSEWHERE)
async def test_what_is_not_from_the_registry_is_never_fetched(
    room: Room, registry: Registry, what: str
) -> None:
    """At any depth: here the second."""
    text, place, error = ELSEWHERE[what]
    with serve() as elsewhere:
        elsewhere.publish("evil", "1.0.0")
        elsewhere.tarballs["/evil.tgz"] = elsewhere.tarballs["/evil/-/evil-1.0.0.tgz"]
        host = elsewhere.address.removeprefix("http://")
        wanted = {"evil": text.replace("HOST", host).replace("ADDRESS", elsewhere.address)}
        manifest: dict[str, Any] = {place: wanted}
        registry.publish("helper", "1.0.0", **manifest)
        registry.publish(NAME, "1.0.0", dependencies={"helper": "1.0.0"})
        if error is None:
            await room.ensure(f"{NAME}@1.0.0")
            (_, record) = room.store.installed()[0]
            assert sorted(record.packages) == [f"node_modules/{NAME}", "node_modules/helper"]
        else:
            with pytest.raises(AutoinstallError, match=error):
                await room.ensure(f"{NAME}@1.0.0")
            assert room.store.installed() == []
        assert elsewhere.asked == []


async def test_a_lock_file_inside_a_package_leads_nowhere_else(
    room: Room, registry: Registry
) -> None:
    with serve() as elsewhere:
        elsewhere.publish("evil", "1.0.0")
        origin = f"{elsewhere.address}/evil/-/evil-1.0.0.tgz"
        packages = {
            "": {"name": "helper", "version": "1.0.0", "dependencies": {"evil": "1.0.0"}},
            "node_modules/evil": {"version": "1.0.0", "resolved": origin},
        }
        lock = {"name": "helper", "version": "1.0.0", "lockfileVersion": 3, "packages": packages}
        registry.publish(
            "helper",
            "1.0.0",
            dependencies={"evil": "1.0.0"},
            files={"npm-shrinkwrap.json": json.dumps(lock)},
            _hasShrinkwrap=True,
        )
        registry.publish(NAME, "1.0.0", dependencies={"helper": "1.0.0"})
        with pytest.raises(AutoinstallError):
            await room.ensure(f"{NAME}@1.0.0")
        assert elsewhere.asked == []


async def test_a_package_without_a_file_to_load_is_refused(room: Room, registry: Registry) -> None:
    registry.publish(NAME, "1.0.0", main="gone.js")
    with pytest.raises(AutoinstallError, match=r"its entry file 'gone\.js' does not exist"):
        await room.ensure(f"{NAME}@1.0.0")


async def test_a_store_that_cannot_be_written_is_the_error(
    tmp_path: Path, registry: Registry
) -> None:
    room = Room(tmp_path, registry)
    room.root.write_text("a file where the store should be")
    with pytest.raises(AutoinstallError, match="the adaptor store cannot be used"):
        await room.ensure(f"{NAME}@1.0.0")


async def test_overrides_choose_the_version_of_a_dependency(
    tmp_path: Path, registry: Registry
) -> None:
    registry.publish("helper", "1.0.0")
    registry.publish(NAME, "1.0.0", dependencies={"helper": "3.0.0"})
    store = Store(
        tmp_path / "store",
        environment=registry.environment(str(tmp_path)),
        overrides={"helper": "1.0.0"},
        flatten=False,
    )
    await store.ensure([f"{NAME}@1.0.0", "helper@1.0.0"])
    record = next(record for _, record in store.installed() if record.name == NAME)
    assert record.packages["node_modules/helper"]["version"] == "1.0.0"


async def test_a_local_adaptor_comes_from_the_monorepo_as_it_is_now(tmp_path: Path) -> None:
    folder = tmp_path / "packages" / "probe"
    (folder / "dist").mkdir(parents=True)
    exports = {".": {"import": {"types": "./x.d.ts", "default": "./dist/index.js"}}}
    manifest = {"name": NAME, "version": "0.0.1", "exports": exports}
    (folder / "package.json").write_text(json.dumps(manifest))
    store = Store(tmp_path / "store", monorepos=[tmp_path / "none", tmp_path])
    with pytest.raises(AutoinstallError, match=r"entry file './dist/index\.js' does not exist"):
        await store.ensure([f"{NAME}@local"])
    (folder / "dist" / "index.js").write_text("")
    found = (await store.ensure([f"{NAME}@local"]))[f"{NAME}@local"]
    assert (found.path, found.entry, found.version) == (folder, "dist/index.js", "local")
    with pytest.raises(AutoinstallError, match="no folder for local adaptors"):
        await Store(tmp_path / "store").ensure([f"{NAME}@local"])
