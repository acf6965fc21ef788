"""Both kinds of worker on one platform at once: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import sys

from holdfast import __version__
from holdfast.testing.platform import TwinPlatform, one_job_plan
from reference.kit import Kit
from reference.swap import of_ours, of_reference, working

_JOBS = (
    "export default [s => ({ data: { n: 1 } })];",
    "export default [s => { for (let i = 0; i < 20; i++) console.log('line', i); return s; }];",
    "export default [s => new Promise(done => setTimeout(() => done(s), 200))];",
)


async def _fleet(kit: Kit, number: int) -> list[str]:
    async with TwinPlatform() as platform:
        runs = [
            platform.enqueue(one_job_plan(_JOBS[n % len(_JOBS)]), input={"data": {}})
            for n in range(number)
        ]
        with (
            working(*of_reference(kit), platform=platform) as theirs,
            working(*of_ours(), platform=platform) as ours,
        ):
            try:
                await platform.until(lambda: all(run.final for run in runs), seconds=240)
            except TimeoutError:
                for log in (theirs, ours):
                    sys.stderr.write(log.read_text(errors="replace")[-2000:])
        workers = [query["worker_version"] for query in platform.handshakes]
    found = [f"{run.id} ended as {run.state}" for run in runs if run.state != "success"]
    found += [f"{run.id} was claimed {run.claims} times" for run in runs if run.claims != 1]
    found += [f"{run.id}: {run.crashed}" for run in runs if run.crashed]
    by = {"ours": 0, "reference": 0}
    for run in runs:
        started = [body["versions"] for name, body in run.events if name == "run:start"]
        by["ours" if any(said["worker"] == __version__ for said in started) else "reference"] += 1
    if 0 in by.values():
        found.append(f"one kind of worker did nothing: {by}")
    sys.stdout.write(f"workers {workers}, {len(platform.claims)} claims, runs {by}\n")
    return found


def mixed(kit: Kit, number: int = 200) -> list[str]:
    """What went wrong with so many runs."""
    return asyncio.run(_fleet(kit, number))
