"""The differential swap: the same plans through the reference's worker and through ours.

Both work for a strict twin of Lightning. What it received of each run is normalised (`normal`),
and must be equal but for the deviations that `deviations.toml` lists with their reasons.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import ndiff
from pathlib import Path
from typing import Any

from holdfast.testing.platform import TwinPlatform
from reference.kit import Kit, environment
from reference.plans import Given

DEVIATIONS = Path(__file__).with_name("deviations.toml")
#: After so long without any event the runs that have not ended never will.
QUIET_SECONDS = 40
#: Fields whose values no two runs share.
_VOLATILE = ("timestamp", "duration", "mem", "thread_id", "versions", "dataclip_size_mb", "id")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d+(?:\.\d+)?\s?(?:ms|s)\b")
#: What is said for people who operate the worker, not for authors: limits, versions, progress.
_BESIDE = ("VER", "RTE", "CMP", "R/T")
_FINAL = re.compile(r"Run complete with status|Error: |^[A-Za-z]*Error\b")


async def streams(command: list[str], plans: list[Given], base: dict[str, str]) -> dict[str, Any]:
    """What a worker makes of the plans: for each name its normalised stream."""
    async with TwinPlatform() as platform:
        runs = {
            given.name: platform.enqueue(
                dict(given.plan), input=given.input, credentials=given.credentials
            )
            for given in plans
        }
        with working(command, base, platform) as log:
            if not await _settled(platform):
                sys.stderr.write(log.read_text(errors="replace")[-2000:])
        return {name: [run.state, *normal(run.events)] for name, run in runs.items()}


async def _settled(platform: TwinPlatform) -> bool:
    """Wait until every run has ended; False once nothing has happened for a long while."""
    while True:
        known = sum(len(run.events) + run.final for run in platform.runs.values())

        def moved(before: int = known) -> bool:
            runs = platform.runs.values()
            return all(run.final for run in runs) or before < sum(
                len(run.events) + run.final for run in runs
            )

        try:
            await platform.until(moved, seconds=QUIET_SECONDS)
        except TimeoutError:
            return False
        if all(run.final for run in platform.runs.values()):
            return True


@contextmanager
def working(command: list[str], base: dict[str, str], platform: TwinPlatform) -> Iterator[Path]:
    """A worker at work; its log."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                command,
                env={**variables(platform, Path(folder)), **base},
                stdout=said, stderr=said,
            )  # fmt: skip
            try:
                yield log
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def variables(platform: TwinPlatform, folder: Path) -> dict[str, str]:
    """What both workers are told."""
    return {
        "WORKER_LIGHTNING_SERVICE_URL": platform.url,
        "WORKER_SECRET": platform.secret,
        "WORKER_BACKOFF": "0.05/0.2",
        "WORKER_CAPACITY": "4",
        "HOLDFAST_DATA": str(folder / "data"),
    }


def of_reference(kit: Kit) -> tuple[list[str], dict[str, str]]:
    """What starts the reference's worker; its adaptors stay in the checkout."""
    port = str(20_000 + os.getpid() % 10_000)
    more = {"WORKER_REPO_DIR": str(kit.root / ".holdfast-repo"), "WORKER_PORT": port}
    return ["node", str(kit.start_script), "--log=warn"], {**environment(kit), **more}


def of_ours() -> tuple[list[str], dict[str, str]]:
    """What starts ours; its adaptors are those of the tests."""
    store = Path(__file__).parents[2] / ".cache" / "adaptors"
    more = {"WORKER_REPO_DIR": str(store), "WORKER_PORT": "0", "WORKER_LOG_LEVEL": "warn"}
    return [sys.executable, "-m", "holdfast.cli.main", "worker"], {**os.environ, **more}


def normal(events: list[tuple[str, Any]]) -> list[Any]:
    """A run's events with what differs from run to run taken out: times, ids, progress lines."""
    names: dict[str, str] = {}

    def named(text: str) -> str:
        return _UUID.sub(lambda found: names.setdefault(found[0], f"id{len(names) + 1}"), text)

    lines: list[Any] = []
    for event, payload in events:
        for name, body in _singly(event, payload):
            if name == "run:log" and _is_beside(body):
                continue
            lines.append([name, json.loads(named(json.dumps(_plain(name, body))))])
    return lines


def _singly(event: str, payload: Any) -> Iterator[tuple[str, Any]]:
    if event == "run:batch_logs":
        yield from (("run:log", line) for line in payload["logs"])
    else:
        yield event, payload


def _is_beside(line: Any) -> bool:
    text = str((line.get("message") or [""])[0])
    return line.get("source") in _BESIDE and not text.startswith("Run complete with status")


def _plain(name: str, body: Any) -> Any:
    body = {key: value for key, value in body.items() if key not in (*_VOLATILE, "run_id")}
    if isinstance(body.get("output_dataclip"), str):
        body["output_dataclip"] = json.loads(body["output_dataclip"])
    return body if name != "run:log" else {**body, "message": _TIME.sub("…", str(body["message"]))}


def differences(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, list[str]]:
    """By name of a plan: the lines that only one of both has."""
    found: dict[str, list[str]] = {}
    for name, there in theirs.items():
        before, after = (
            [json.dumps(item, sort_keys=True) for item in stream] for stream in (there, ours[name])
        )
        if different := [line for line in ndiff(before, after) if line[0] in "-+"]:
            found[name] = different
    return found


def listed() -> dict[str, Any]:
    """The deviations that are on purpose: each with its plans and its reason."""
    return tomllib.loads(DEVIATIONS.read_text())


def compare(kit: Kit, plans: list[Given], out: Path) -> list[str]:
    """Both workers, and what is to be said; the streams are kept in `out`."""
    found = {}
    for who, (command, base) in (("reference", of_reference(kit)), ("ours", of_ours())):
        found[who] = asyncio.run(streams(command, plans, base))
        (out / f"{who}.json").write_text(json.dumps(found[who], indent=1, sort_keys=True))
    return judged(found["reference"], found["ours"])


def judged(theirs: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """One line for each plan that differs without a reason, and for each reason of none."""
    different = differences(theirs, ours)
    explained = {plan: item["reason"] for item in listed().get("deviation", [])
                 for plan in item["plans"]}  # fmt: skip
    said = [
        "\n  ".join([f"{name}: - there, + here", *lines])
        for name, lines in different.items()
        if name not in explained
    ]
    said += [f"{name}: equal, but listed" for name in explained if name not in different]
    return said
