"""Cleaning documents of secrets: the time by their number, and what the event loop notices."""

from __future__ import annotations

import asyncio
import random
import time

from benchmarks import yardstick
from benchmarks.bars import against, plain
from holdfast.model.json import Json
from holdfast.platform.scrubbing import Scrubber

SIZE = 10_000_000
NUMBERS = (1, 50, 500)
ROUNDS = 5
#: Seconds between two beats of the heart.
_BEAT = 0.005


def secrets(number: int) -> list[str]:
    chance = random.Random(number)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/&= "
    return ["".join(chance.choices(letters, k=24)) for _ in range(number)]


def document(values: list[str]) -> str:
    """Ten million characters of records; one in two thousand has a secret in it."""
    chance = random.Random(7)
    words = ["".join(chance.choices("abcdefghijklmnop0123456789", k=8)) for _ in range(2000)]
    parts, size = list[str](), 0
    while size < SIZE:
        word = chance.choice(values) if chance.random() < 0.0005 else chance.choice(words)
        parts.append(
            f'{{"patient":"{word}","n":{chance.randrange(10**6)},"note":"{word[::-1]}"}},'
        )
        size += len(parts[-1])
    return "".join(parts)


async def lag(scrubber: Scrubber, text: str) -> float:
    """The longest that the event loop was late while another thread cleaned, in seconds."""
    work = asyncio.get_running_loop().run_in_executor(None, scrubber.clean, text)
    longest = 0.0
    while not work.done():
        due = time.perf_counter() + _BEAT
        await asyncio.sleep(_BEAT)
        longest = max(longest, time.perf_counter() - due)
    return longest


def main() -> None:
    """Each number of secrets, then how they compare."""
    times: dict[int, float] = {}
    for number in NUMBERS:
        values = secrets(number)
        body: Json = {f"value_{n}": value for n, value in enumerate(values)}
        started = time.perf_counter()
        scrubber = Scrubber([body])
        plain(f"learning {number} secrets", (time.perf_counter() - started) * 1000, "ms")
        text = document(values)
        samples = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            cleaned = scrubber.clean(text)
            samples.append(time.perf_counter() - started)
        assert not any(value in cleaned for value in values)
        times[number] = min(samples)
        pace = yardstick.pace()
        against(f"10 MB cleaned of {number} secrets", times[number], 0.3, unit="s", pace=pace)
        late = min(asyncio.run(lag(scrubber, text)) for _ in range(3)) * 1000
        against("the event loop was late meanwhile", late, 50, unit="ms", pace=pace)
    against("500 secrets beside 50", times[500] / times[50], 1.5, unit="times")
    against("500 secrets beside one", times[500] / times[1], 1.5, unit="times")
