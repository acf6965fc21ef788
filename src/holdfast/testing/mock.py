"""A platform to try a worker on: `python -m holdfast.testing.mock`.

`holdfast worker -l mock` connects to it. It is the twin of the tests, on the port where the
reference's mock listens. It gives out one sample run, tells what the worker sends, and goes on
until it is stopped.
"""

from __future__ import annotations

import asyncio
import sys

from holdfast.testing.platform import TwinPlatform, one_job_plan

#: Where the reference looks for a mock, and with which secret.
MOCK_PORT, MOCK_SECRET = 8888, "abdefg"
_JOB = "export default [(state) => { console.log('hello'); return { data: { n: 1 } }; }];"


async def main(port: int = MOCK_PORT) -> None:
    """Serve until cancelled."""
    platform = TwinPlatform(secret=MOCK_SECRET)
    platform.port = port
    await platform.start()
    try:
        run = platform.enqueue(one_job_plan(_JOB), input={"data": {}})
        say(f"listening on {platform.url}; one run waits: {run.id}")
        told = 0
        while True:
            for name, _ in run.events[told:]:
                say(f"{run.id} {name}")
            told = len(run.events)
            await asyncio.sleep(0.1)
    finally:
        await platform.stop()


def say(text: str) -> None:
    """One line for the person at the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        asyncio.run(main(*map(int, sys.argv[1:2])))
    except KeyboardInterrupt:
        sys.exit(130)
