"""From a case to a run of the whole engine: supervisor, shim, compiler, Node."""

from __future__ import annotations

import asyncio
import functools
import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from conformance.installing import installed
from conformance.recording import Recording
from holdfast.adaptors import Store
from holdfast.engine.client import Engine, RunRequest, prepare_run
from holdfast.journal import JournalReader
from holdfast.model.limits import Limits
from holdfast.model.record import Kind
from holdfast.protocol.isolation import Isolation
from holdfast.worker.connection import Refused
from holdfast.worker.outbox.scrubbing import Scrubbing
from holdfast.worker.run.preparation import Preparation, PreparationFailed
from holdfast.worker.run.questions import Questions

ROOT = Path(__file__).parents[2]
COMMON = "@openfn/language-common@3.3.4"
#: What the reference's engine lets jobs import.
ENGINE_WHITELIST = ["^@openfn/"]
REMOVED = ["configuration", "response"]


@dataclass
class Launch:
    """One run as a case wants it. Times in ms, sizes in MB, as the cases have them."""

    plan: dict[str, Any]
    input_text: str | None
    options: dict[str, Any]
    credentials: dict[str, Any] = field(default_factory=dict)
    memory_mb: int = 500
    timeout_ms: int = 60_000
    #: Events from before the run.
    before: list[dict[str, Any]] = field(default_factory=list)
    #: Error type and message, when there can be no run.
    refused: tuple[str, str] | None = None


@functools.cache
def common_folder() -> Path:
    """Where `@openfn/language-common` is installed, from the registry if need be."""
    # its files as npm lays them out: what cases expect of stack traces was recorded with them
    store = Store(ROOT / ".cache" / "conformance", flatten=False)
    return asyncio.run(store.ensure([COMMON]))[COMMON].path


async def record(launch: Launch, engine: Engine, journals: Path) -> Recording:
    """Run it and read its journal."""
    if launch.refused is not None:
        kind, message = launch.refused
        outcome = {"reason": "exception", "error_type": kind, "error_message": message}
        return Recording([(int(Kind.OUTCOME), json.dumps(outcome).encode())], launch.before)
    run_id = str(uuid.uuid4())
    prepared = prepare_run(journals, run_id, launch.plan)
    prepared.input.write_text(launch.input_text or "", encoding="utf-8")
    limits = Limits(memory_mb=launch.memory_mb, timeout_seconds=launch.timeout_ms / 1000)
    request = RunRequest(
        prepared.path, run_id, limits, launch.credentials, {"run_id": run_id, **launch.options}
    )
    handle = await engine.launch(request)
    await handle.outcome()
    with JournalReader(prepared.journal) as reader:
        records = [(int(item.kind), item.body) for item in reader.read()]
    return Recording(records, launch.before)


async def engine_launch(case: dict[str, Any], plan: dict[str, Any], folder: Path) -> Launch:
    """A case of level `engine`: expressions are job code."""
    made = case.get("options", {}).get("engine", {})
    given = case.get("options", {}).get("execute", {})
    memory_mb = given.get("memoryLimitMb", made.get("memoryLimitMb", 500))
    refused: tuple[str, str] | None = None
    before: list[Any] = []
    if "autoinstall" in made:
        works = made["autoinstall"] == "ok"
        adaptors, before, failure = await installed(plan, folder / "repo", works=works)
        refused = None if failure is None else ("AutoinstallError", failure)
    else:
        adaptors = repository(plan, folder / "repo")
    configurations, problem = await credentials(plan, given.get("resolvers", {}).get("credential"))
    if problem is not None:
        refused = refused or ("CredentialLoadError", problem)
    versions: dict[str, Any] = {"node": "", "engine": "", "compiler": "", "runtime": ""}
    for adaptor in adaptors.values():
        versions.setdefault(adaptor["name"], []).append(adaptor["version"])
    return Launch(
        plan,
        json.dumps(case.get("input", {})),
        {
            "versions": versions,
            "adaptors": adaptors,
            "state_props_to_remove": made.get("statePropsToRemove", REMOVED),
            "state_limit_mb": given.get("stateLimitMb", memory_mb * 0.25),
            "payload_limit_mb": given.get("payloadLimitMb", 10),
            "log_payload_limit_mb": given.get(
                "logPayloadLimitMb", given.get("payloadLimitMb", 10)
            ),
            "case": {"level": "engine", "options": {"linker": {"whitelist": ENGINE_WHITELIST}}},
        },
        configurations,
        memory_mb,
        given.get("runTimeoutMs", 60_000),
        before,
        refused,
    )


def repository(plan: dict[str, Any], repo: Path) -> dict[str, Any]:
    """The adaptors of a plan, where a case's repository has them."""
    found = {}
    for step in plan["workflow"]["steps"]:
        for specifier in step.get("adaptors", []):
            name, _, version = specifier.rpartition("@")
            folder = repo / "node_modules" / f"{name}_{version}"
            if folder.is_dir():
                manifest = json.loads((folder / "package.json").read_text())
                found[specifier] = {
                    "name": name,
                    "version": version,
                    "path": str(folder),
                    "entry": manifest.get("main", "index.js"),
                    "exports": [],
                }
    return found


async def credentials(
    plan: dict[str, Any], table: dict[str, Any] | None
) -> tuple[dict[str, Any], str | None]:
    """Configurations by step, fetched by the worker's own code from a table behind a channel.

    Without a table, as without a resolver in the reference, ids stay as they are. The second
    value is why the run cannot start.
    """
    ids = {
        step["id"]: step["configuration"]
        for step in plan["workflow"]["steps"]
        if isinstance(step.get("configuration"), str)
    }
    if table is None or not ids:
        return {}, None

    async def request(event: str, payload: dict[str, Any], _seconds: float) -> Any:
        name = payload["id"]
        if name in table:
            return table[name]
        raise Refused(event, table.get("__reject", f"credential not found: {name}"))

    async def joined() -> None:
        return None

    channel: Any = SimpleNamespace(
        request=request,
        joins=1,
        topic="run:case",
        connection=SimpleNamespace(isolation=Isolation()),
    )
    # only what `_credentials` asks for: neither store nor folder takes part
    made: Any = Preparation
    preparation = made(
        config=SimpleNamespace(message_seconds=1),
        store=None,
        run_folders=None,
        channel=channel,
        case=SimpleNamespace(),
        scrubbing=Scrubbing(),
        questions=Questions(channel, joined, seconds=1),
    )
    fetch = SimpleNamespace(
        steps=list(ids), credential_ids=ids, inline={}, collections=False, project_id=None
    )
    try:
        found = await preparation._credentials(fetch)
    except PreparationFailed as failed:
        return {}, failed.message
    return found, None
