"""`holdfast worker --check`: looks at everything a worker needs, says it, and exits."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from holdfast.engine.doctor import Check, examine
from holdfast.journal import JournalLocked, RunLock
from holdfast.model.errors import HoldfastError
from holdfast.model.limits import MEBIBYTE
from holdfast.protocol.tokens import public_key, sign_worker_token
from holdfast.sandbox.levels import Level
from holdfast.worker.config import WorkerConfig
from holdfast.worker.connection import endpoint
from holdfast.worker.memory import OWN_MB, needed_mb

#: Less free disk than this is told; below a quarter of it a worker claims nothing.
_DISK_MB = 1024
#: Tokens are refused beyond this difference between two clocks, seconds.
_CLOCK_SECONDS = 5


async def checks(config: WorkerConfig) -> list[Check]:
    """Every check, in the order in which a person mends things."""
    found = [*_configuration(config), _memory(config), _key(config), *_data(config)]
    found += await _platform(config)
    report = examine(config.data)
    found += [check for check in report.checks if check.name == "node"]
    found += [memory_limit(check) for check in report.checks if check.name == "memory limit"]
    found.append(_isolation(report.level, config.isolation))
    return found


def memory_limit(found: Check) -> Check:
    """A worker works without the kernel's limit; whoever requires it, requires level full."""
    if found.good:
        return found
    return Check(found.name, True, "by sampling, not by the kernel (holdfast doctor says why)")


def _isolation(level: Level, required: str | None) -> Check:
    least = Level[required.upper()] if required else Level.NONE
    text = f"{level.name.lower()} (holdfast doctor says more)"
    return Check("isolation", level >= least, text, f"{required} is required: see holdfast doctor")


def _configuration(config: WorkerConfig) -> Iterator[Check]:
    loops = " ".join(f"{loop.key}:{loop.slots}" for loop in config.workloops)
    yield Check("configuration", True, f"{config.platform}, workloops {loops}")
    yield Check("egress", True, f"{config.egress_policy} (holdfast doctor --reach judges a host)")
    grace = int(config.drain_within([])) + 30
    yield Check("grace period", True, f"at least {grace} s after SIGTERM")
    for name, why in config.ignored:
        yield Check("option", True, f"{name} has no effect: {why}")


def _memory(config: WorkerConfig) -> Check:
    run, budget = config.run_memory_mb + config.overhead_mb, config.memory_budget_mb
    there = _machine_mb()
    if budget is None:
        needed = needed_mb(config.slots, config.run_memory_mb, config.overhead_mb)
        limits = f"({config.run_memory_mb} + {config.overhead_mb}) MB"
        formula = f"{config.slots} slots x {limits} + {OWN_MB} MB"
    else:
        needed = budget + OWN_MB
        formula = f"budget of {budget} MB ({budget // run} runs at a time) + {OWN_MB} MB"
    fits = max(run, there - OWN_MB)
    fix = f"Give it {needed} MB, lower the capacity, or set --memory-budget {fits}mb."
    return Check("memory", needed <= there, f"{formula} = {needed} MB; there are {there} MB", fix)


def _machine_mb() -> int:
    """Memory of this machine, or of the control group that we are in if it has a limit."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(path).read_text()))
        except (OSError, ValueError):  # not there, or `max`
            continue
    return total // MEBIBYTE


def _key(config: WorkerConfig) -> Check:
    if config.public_key is None:
        return Check("key", True, "none: run tokens are not verified")
    try:
        public_key(config.public_key)
    except HoldfastError as error:
        return Check("key", False, error.message, error.fix)
    return Check("key", True, "run tokens are verified")


def _data(config: WorkerConfig) -> Iterator[Check]:
    try:
        RunLock(config.data / "worker.lock").release()
    except JournalLocked:
        yield Check("data", False, f"{config.data} is used by another worker", "Give it another.")
        return
    except OSError as error:
        yield Check("data", False, f"{config.data}: {error.strerror}", "Make it writable.")
        return
    journals = config.journals
    left = sum(1 for _ in journals.iterdir()) if journals.is_dir() else 0
    yield Check("undelivered", True, f"{left} journals; a start goes on with them")
    free = shutil.disk_usage(config.data).free // MEBIBYTE
    yield Check("disk", free >= _DISK_MB, f"{free} MB free in {config.data}", "Make room.")


async def _platform(config: WorkerConfig) -> list[Check]:
    token = sign_worker_token(config.secret, "holdfast-check", int(time.time()))
    try:
        async with connect(
            endpoint(config.lightning_url, token),
            **config.dial.options(config.lightning_url),
            open_timeout=10, close_timeout=1, ping_interval=None,
        ) as socket:  # fmt: skip
            response = socket.response
            date = response.headers.get("date") if response is not None else None
    except InvalidStatus as error:
        status = error.response.status_code
        fix = "Give WORKER_SECRET the platform's value." if status in (401, 403) else "Check it."
        return [Check("connection", False, f"{config.platform} answered HTTP {status}", fix)]
    except (OSError, WebSocketException, TimeoutError) as error:
        text = f"{config.platform}: {type(error).__name__}: {str(error).replace(token, '…')}"
        return [
            Check("connection", False, text, "Check address, network, proxy and certificates.")
        ]
    return [Check("connection", True, f"{config.platform} took the secret"), _clock(date)]


def _clock(date: str | None) -> Check:
    try:
        ahead = time.time() - parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return Check("clock", True, "the platform does not say its time")
    text = f"{ahead:+.0f} s against the platform's"
    return Check("clock", abs(ahead) <= _CLOCK_SECONDS, text, "Let both follow a time server.")
