"""Adaptors of a case, installed by the real store from a registry on loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from holdfast.adaptors import AutoinstallError, Event, InstallEvent, Store
from support import registry


async def installed(
    plan: dict[str, Any], repo: Path, *, works: bool
) -> tuple[dict[str, Any], list[dict[str, Any]], str | None]:
    """OPTIONS.adaptors, the reference's events, and the error that ends the run, if any.

    The registry has what lies in the case's repository; when it does not work, nothing.
    """
    wanted = dict.fromkeys(
        specifier
        for step in plan["workflow"]["steps"]
        for specifier in step.get("adaptors", [])
        if specifier.startswith("@openfn/")
    )
    events: list[dict[str, Any]] = []

    def listen(news: InstallEvent) -> None:
        name, _, version = news.specifier.rpartition("@")
        event = {"module": name, "version": version, "duration": news.seconds * 1000}
        if news.event is Event.INSTALLED:
            events.append({"event": "autoinstall-complete", **event})
        elif news.event is Event.FAILED:
            events.append({"event": "autoinstall-error", **event, "message": news.message})

    found: dict[str, Any] = {}
    with registry.serve() as served:
        store = Store(
            repo.parent / "store",
            environment=served.environment(str(repo.parent)),
            flatten=False,
            retry_seconds=(),
        )
        for specifier in wanted if works else []:
            publish(served, specifier, repo)
        for specifier in wanted:  # one after the other, as the reference does
            try:
                adaptor = (await store.ensure([specifier], on_event=listen))[specifier]
            except AutoinstallError as error:
                return {}, events, error.message
            found[specifier] = adaptor.to_option()
    return found, events, None


def publish(served: registry.Registry, specifier: str, repo: Path) -> None:
    name, _, version = specifier.rpartition("@")
    folder = repo / "node_modules" / f"{name}_{version}"
    if not folder.is_dir():
        return
    files = {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }
    manifest = json.loads(files.pop("package.json"))
    facts = {key: item for key, item in manifest.items() if key not in {"name", "version"}}
    served.publish(name, version, files=files, **facts)
