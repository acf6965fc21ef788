"""What is wrong with the code of a draft, at its line: the checks of `holdfast check`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Collection
from typing import Any

from holdfast.platform.service import Platform
from holdfast.platform.web.draft import Draft

#: Characters of code that are checked at once, and seconds that it may take.
_MOST, _SECONDS = 500_000, 15.0


async def check(platform: Platform, draft: Draft, only: Collection[str] = ()) -> dict[str, Any]:
    """Findings of the steps, or of those in `only`, and of the conditions.

    `found`: lists of `line`, `column`, `warning`, `message` by part; `names`: lists of `name` and
    `about` by step; `absent`: adaptors that are not installed here; `trouble`: why there are none.
    """
    steps = [step for step in draft.steps if not only or step.id in only]
    paths = [p for p in draft.paths if p.condition == "js_expression" and p.expression]
    if sum(len(step.body) for step in steps) > _MOST:
        return _nothing("The code is too long to be checked here: use holdfast check.")
    asked = {
        "store": str(platform.adaptors.root),
        "codes": [{"id": s.id, "text": s.body, "adaptor": s.adaptor} for s in steps],
        "conditions": [{"id": path.id, "text": path.expression} for path in paths],
    }
    async with platform.checks:
        return await _ask(json.dumps(asked).encode())


async def _ask(asked: bytes) -> dict[str, Any]:
    """In a process without the platform's environment, which is ended when it takes too long."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "holdfast.checking",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env={}, start_new_session=True,
    )  # fmt: skip
    try:
        out, err = await asyncio.wait_for(process.communicate(asked), _SECONDS)
    except TimeoutError:
        return _nothing("The checks took too long.")
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode != 0:
        last = err.decode("utf-8", "replace").strip().rpartition("\n")[2]
        return _nothing(f"The code could not be checked: {last or process.returncode}")
    found: dict[str, Any] = json.loads(out)
    return {**found, "trouble": None}


def _nothing(trouble: str) -> dict[str, Any]:
    return {"found": {}, "names": {}, "absent": [], "trouble": trouble}
