"""Runs start when their limits fit into the budget, in the order in which they came."""

from __future__ import annotations

import asyncio

from holdfast.worker.memory import MemoryBudget, needed_mb


async def test_a_large_run_waits_and_is_not_overtaken() -> None:
    budget, order = MemoryBudget(1000), []
    gates = {name: asyncio.Event() for name in "abcd"}

    async def live(name: str, megabytes: int) -> None:
        async with budget.held(name, megabytes):
            order.append(name)
            await gates[name].wait()

    tasks = [asyncio.create_task(live(*run)) for run in
             (("a", 600), ("b", 900), ("c", 300), ("d", 100))]  # fmt: skip
    await asyncio.sleep(0)
    assert order == ["a"]
    assert not budget.fits(1), "others came before"
    assert budget.why("b") == "900 MB of memory (400 MB free)"
    gates["a"].set()
    await asyncio.sleep(0.01)
    assert order == ["a", "b"]
    assert budget.why("c") is not None
    for gate in gates.values():
        gate.set()
    await asyncio.gather(*tasks)
    assert order[:3] == ["a", "b", "c"]
    assert (budget.free_mb, budget.fits(1000)) == (1000, True)


async def test_one_that_gives_up_waiting_lets_the_next_in() -> None:
    budget = MemoryBudget(100)
    async with budget.held("a", 100):
        waiting = asyncio.create_task(hold(budget, "b", 100))
        behind = asyncio.create_task(hold(budget, "c", 50))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    await behind
    assert budget.free_mb == 100


async def hold(budget: MemoryBudget, name: str, megabytes: int) -> None:
    async with budget.held(name, megabytes):
        assert budget.free_mb >= 0


async def test_runs_that_were_found_count_even_beyond_the_budget() -> None:
    budget = MemoryBudget(100)
    async with budget.held("found", 500, running=True):
        assert budget.free_mb == -400
        assert not budget.fits(1)
    assert budget.fits(100)


def test_without_a_budget_the_slots_decide() -> None:
    assert MemoryBudget(None).fits(10**9)
    assert needed_mb(5, 500, 128) == 3440
