"""What is wrong with the code of a draft, at its line: the checks of `holdfast check`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from holdfast.model.json import JsonObject
from holdfast.platform.access import visit
from holdfast.platform.access.turns import BusyError
from holdfast.platform.service import Platform
from holdfast.platform.web.draft import Draft
from holdfast.platform.web.language import later, say

#: Characters of code and conditions, and parts, that are checked at once.
_MOST, _PARTS = 500_000, 500
#: Seconds that it may take, with the wait for a turn.
_SECONDS = 15.0
_BUSY = later("Too many checks are under way. Try again in a moment.")


async def check(platform: Platform, draft: Draft, only: Collection[str] = ()) -> dict[str, Any]:
    """Findings of the steps, or of those in `only`, and of the conditions.

    `found`: lists of `line`, `column`, `warning`, `message` by part; `names`: lists of `name` and
    `about` by step; `absent`: adaptors that are not installed here; `trouble`: why nothing was
    checked, or None.
    """
    steps = [step for step in draft.steps if not only or step.id in only]
    paths = [p for p in draft.paths if p.condition == "js_expression" and p.expression]
    texts = [*(step.body for step in steps), *(path.expression for path in paths)]
    if len(texts) > _PARTS or sum(map(len, texts)) > _MOST:
        return _nothing(say("The code is too long to be checked here: use holdfast check."))
    asked: JsonObject = {
        "store": str(platform.adaptors.root.absolute()),
        "codes": [{"id": s.id, "text": s.body, "adaptor": s.adaptor} for s in steps],
        "conditions": [{"id": path.id, "text": path.expression} for path in paths],
    }
    return {**_nothing(), **await ask(platform, asked)}


async def ask(platform: Platform, asked: JsonObject) -> dict[str, Any]:
    """What the process says; `trouble`: why it said nothing, or None."""
    who = visit.subject()
    try:
        async with asyncio.timeout(_SECONDS), platform.checks.take(who.user_id or who.name):
            return await _ask(json.dumps(asked).encode())
    except BusyError:
        return {"trouble": say(_BUSY)}
    except TimeoutError:
        return {"trouble": say("The checks took too long.")}
    except OSError as error:
        said = say("The checks did not start: %(strerror)s.", strerror=error.strerror)
        return {"trouble": said}


async def _ask(asked: bytes) -> dict[str, Any]:
    """In a process in an empty folder, without the platform's environment."""
    with tempfile.TemporaryDirectory(prefix="holdfast-check-") as empty:
        code, out, err = await _communicate(asked, empty)
    if code != 0:
        last = err.decode("utf-8", "replace").strip().rpartition("\n")[2]
        said = say("The code could not be checked: %(code)s", code=last or _ended(code))
        return {"trouble": said}
    found: dict[str, Any] = await asyncio.to_thread(json.loads, out)
    return {**found, "trouble": None}


async def _communicate(asked: bytes, folder: str) -> tuple[int | None, bytes, bytes]:
    """The checks' exit code, output and errors. Their processes end with this task."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "holdfast.checking", cwd=folder,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env={}, start_new_session=True,
    )  # fmt: skip
    try:
        out, err = await process.communicate(asked)
    finally:
        with suppress(ProcessLookupError):  # all have ended
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return process.returncode, out, err


def _ended(code: int | None) -> str:
    if code is not None and code < 0:
        return say("its process was ended by %(name)s.", name=signal.Signals(-code).name)
    return say("its process ended with %(code)s.", code=code)


def _nothing(trouble: str = "") -> dict[str, Any]:
    return {"found": {}, "names": {}, "absent": [], "trouble": trouble}
