"""What a worker says about itself: whether it is ready, its figures, and a live status."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast import __version__
from holdfast.model.json import JsonObject
from holdfast.model.limits import MEBIBYTE
from holdfast.protocol.messages import WORKER_QUEUE
from holdfast.worker.agent import usage
from holdfast.worker.agent.trust import PASSING
from holdfast.worker.metrics import Figure
from holdfast.worker.run.run import Stage

if TYPE_CHECKING:
    from holdfast.worker.agent.agent import Agent

_STAGES = [stage for stage in Stage if stage is not Stage.DONE]


@dataclass(frozen=True)
class Report:
    """Looks at one agent; keeps nothing."""

    agent: Agent
    started: float  # seconds since 1970

    def reasons(self) -> list[str]:
        """Why it is not ready to claim; empty when it is."""
        agent, reasons = self.agent, []
        if not agent.connection.up:
            reasons.append("not connected to the platform")
        elif not agent.connection.client.joined(WORKER_QUEUE):
            reasons.append("worker:queue is not joined")
        if (why := agent.trust.reason or agent.blocked()) is not None and why not in PASSING:
            reasons.append(why)
        return reasons

    def readiness(self) -> JsonObject:
        """For /readyz."""
        reasons = self.reasons()
        return {"ready": not reasons, "reasons": list(reasons)}

    def oldest_undelivered(self) -> float:
        """For how long the platform lacks the end of a run, at most, in seconds; 0: of none."""
        waiting = [run.undelivered_seconds for run in self.agent.runs.values()]
        return max(waiting, default=0.0)

    def running(self) -> dict[str, Path]:
        """The locks of runs that have processes, by the run's id."""
        runs = self.agent.runs.items()
        return {key: run.case.folder.lock for key, run in runs if run.stage is Stage.RUNNING}

    def memory(self) -> usage.Usage:
        """What runs and standby processes use now."""
        return usage.look(self.running(), os.getppid())

    def uptime_seconds(self) -> float:
        return round(time.time() - self.started, 1)

    def figures(self) -> Iterable[Figure]:
        """For /metrics; names without the prefix."""
        agent = self.agent
        stages = [run.stage for run in agent.runs.values()]

        def one(name: str, text: str, value: float, *, counts: bool = False) -> Figure:
            return Figure(name, text, {(): float(value)}, counts=counts)

        connection = agent.connection
        yield one("connected", "1 while the socket to the platform is open.", connection.up)
        yield one("connects", "Connections made.", connection.connects, counts=True)
        yield one("drops", "Connections lost.", connection.drops, counts=True)
        yield one("ready", "1 while the worker may claim.", not self.reasons())
        yield one("slots", "Runs at a time, over all workloops.", agent.config.slots)
        yield one("slots_free", "Slots that a claim may ask for.",
                  sum(loop.free for loop in agent.loops))  # fmt: skip
        yield one("draining", "1 after SIGTERM.", agent.draining)
        yield one("runs_waiting", "Ended runs that keep the worker from claiming more.",
                  agent.backlog.waiting)  # fmt: skip
        yield one("undelivered", "Journals that hold something the platform does not have.",
                  agent.undelivered)  # fmt: skip
        yield one("oldest_undelivered_seconds",
                  "Seconds since the end of the oldest run whose end the platform does not have.",
                  self.oldest_undelivered())  # fmt: skip
        memory = self.memory()
        yield Figure("run_memory_bytes", "Memory that the processes of a run use now.",
                     {(run,): float(used) for run, used in memory.runs.items()},
                     ("run",))  # fmt: skip
        yield one("standby_memory_bytes", "Memory of processes that wait for a run.",
                  memory.standby)  # fmt: skip
        yield one("disk_free_bytes", "Free bytes where the journals are.", self.disk_free())
        yield one("start_time_seconds", "When the agent started, since 1970.", self.started)
        yield Figure("runs", "Runs by stage.",
                     {(stage.value,): float(stages.count(stage)) for stage in _STAGES},
                     ("stage",))  # fmt: skip
        yield Figure("loop_runs", "Runs that hold a slot of a workloop.",
                     {(loop.key,): float(len(loop.runs)) for loop in agent.loops},
                     ("loop",))  # fmt: skip
        yield Figure("runs", "Runs by how their delivery ended.",
                     {(ending.name.lower(),): float(number)
                      for ending, number in agent.done.items()
                      if ending.over},
                     ("ending",), counts=True)  # fmt: skip

    def status(self) -> JsonObject:
        """For /status and `holdfast status`."""
        agent = self.agent
        reasons, memory = self.reasons(), self.memory()
        return {
            "worker": agent.worker_id,
            "name": agent.config.name,
            "version": __version__,
            "platform": agent.config.platform,
            "uptime_seconds": self.uptime_seconds(),
            "ready": not reasons,
            "reasons": list(reasons),
            "connected": agent.connection.up,
            "draining": agent.draining,
            "egress": agent.config.egress_policy,
            "memory_budget_mb": agent.config.memory_budget_mb,
            "memory_free_mb": agent.memory.free_mb if agent.config.memory_budget_mb else None,
            "standby_memory_mb": memory.standby // MEBIBYTE,
            "disk_free_mb": self.disk_free() // (1024 * 1024),
            "undelivered": agent.undelivered,
            "oldest_undelivered_seconds": round(self.oldest_undelivered(), 1),
            "workloops": [
                {
                    "queues": list(loop.queues), "slots": loop.slots, "claims": loop.claims,
                    "runs": len(loop.runs),
                }
                for loop in agent.loops
            ],
            "runs": [
                {
                    "id": run.case.run_id, "stage": run.stage.value, "loop": run.case.loop,
                    "seconds": round(run.stage_seconds, 1), "why": run.waits_for,
                    "memory_mb": memory.runs.get(run.case.run_id, 0) // MEBIBYTE,
                }
                for run in list(agent.runs.values())
                if run.stage is not Stage.DONE
            ],
        }  # fmt: skip

    def disk_free(self) -> int:
        """Bytes, where the journals are."""
        try:
            return shutil.disk_usage(self.agent.run_folders.journals).free
        except OSError:  # whoever may not look has no room either
            return 0
