"""The agent: the only process of a worker that uses the network.

    python -m holdfast.worker.agent     (started by the supervisor, configured by the environment)

Everything that must survive stands in the journals. If the agent is killed, the next one continues
from them. Exit codes after SIGTERM: 0 all runs ended and were delivered; 3 runs were ended at the
deadline; 4 something is undelivered, and the next start delivers it.
"""

from __future__ import annotations

import asyncio
import math
import os
import secrets
import signal
import sys
import time
from collections.abc import Coroutine, Mapping

from holdfast import durable, faults, log, log_libraries
from holdfast.adaptors.location import default_store_root
from holdfast.adaptors.store import Store
from holdfast.engine.client import Engine
from holdfast.journal import DeliveryState, RunLock
from holdfast.model.errors import HoldfastError
from holdfast.model.json import JsonObject
from holdfast.paths import absolute
from holdfast.protocol.frames import Payload, Reply
from holdfast.protocol.messages import WORK_AVAILABLE, WORKER_QUEUE, ClaimedRun, QueueJoin
from holdfast.protocol.tokens import TokenError, public_key, sign_worker_token, verify_run_token
from holdfast.sandbox import kernel
from holdfast.worker import sentry, telemetry
from holdfast.worker.agent import collections
from holdfast.worker.agent.adoption import Adoption
from holdfast.worker.agent.backlog import Backlog
from holdfast.worker.agent.claims import Claimer, Turn
from holdfast.worker.agent.disk import disk_problem
from holdfast.worker.agent.firstprocess import NOT_READY, FirstProcess
from holdfast.worker.agent.health import Health
from holdfast.worker.agent.notify import Notifier
from holdfast.worker.agent.report import Report
from holdfast.worker.agent.trust import TRYING, Trust
from holdfast.worker.agent.vitals import Vitals, isolation_from
from holdfast.worker.agent.warm import verify_newest
from holdfast.worker.config import SOCKET_VARIABLE, WorkerConfig
from holdfast.worker.connection import Channel, Connection
from holdfast.worker.idle import Idle
from holdfast.worker.memory import MemoryBudget
from holdfast.worker.metrics import Metrics
from holdfast.worker.run.run import Run, RunServices, Stage
from holdfast.worker.run_folders import FoundRun, RunFolders
from holdfast.worker.vault import Vault
from holdfast.worker.workloops import Workloop

#: After a claim could not be journaled, none is made for this time.
DISK_PAUSE_SECONDS = 30.0
#: Between attempts to journal a claim; a disk that fails for longer loses it.
_DISK_AGAIN_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
#: Runs that have ended and are not delivered, per slot, before claiming stops (`backlog.py`).
BACKLOG_PER_SLOT = 4
#: After the deadline of a drain: least and most time to deliver what was ended, seconds.
LAST_DELIVERY_SECONDS = (10.0, 30.0)
_PRUNE_SECONDS = 600.0
_SLOTS_SECONDS = 5.0
_AGAIN_SECONDS = (1.0, 60.0)

_GRACE = (
    "give the service manager at least this: TimeoutStopSec, terminationGracePeriodSeconds,"
    " stop_grace_period; more, where the platform allows longer runs"
)
_UNVERIFIED = "The token of the run does not verify with the worker's WORKER_LIGHTNING_PUBLIC_KEY"
_UNVERIFIED_FIX = "Give the worker its platform's public key, and check both machines' clocks."
DRAINED, ENDED_AT_DEADLINE, UNDELIVERED = 0, 3, 4


class Agent:
    """See the module."""

    def __init__(
        self,
        config: WorkerConfig,
        engine: Engine,
        run_folders: RunFolders,
        first: FirstProcess | None = None,
        isolation: JsonObject | None = None,
    ) -> None:
        self.config = config
        self.first = first or FirstProcess({})
        self.run_folders = run_folders
        self.trust = Trust()
        self.worker_id = f"holdfast-{secrets.token_hex(4)}"
        self.connection = Connection(
            config.lightning_url, self._worker_token, name=config.platform, dial=config.dial
        )
        report = Report(self, time.time())
        self.metrics = Metrics(report.figures)
        self.memory = MemoryBudget(config.memory_budget_mb)
        self.idle = Idle(self._busy)
        store_root = config.repo_dir or default_store_root({}, config.data)
        self.services = RunServices(
            config, self.connection, engine, Store(store_root, monorepos=config.monorepo_dirs),
            run_folders, lambda: time.time_ns() // 1000, self.metrics, self.memory,
            self._changed, self.trust.worked, self.idle,
        )  # fmt: skip
        self.loops = config.workloops
        self._places = {loop.key: asyncio.Semaphore(loop.slots) for loop in self.loops}
        self.runs: dict[str, Run] = {}
        self.backlog = Backlog(BACKLOG_PER_SLOT * config.slots)
        self.done: dict[DeliveryState, int] = dict.fromkeys(DeliveryState, 0)
        self.draining = False
        self._disk_bad_until = float("-inf")
        self._opening: dict[str, str] = {}  # run -> token: claimed, not yet on disk
        self._key = public_key(config.public_key) if config.public_key else None
        self._tasks: set[asyncio.Task[None]] = set()
        self._claimers: list[Claimer] = []
        self._hurry = asyncio.Event()
        self._background: list[asyncio.Task[None]] = []
        self._notifier = Notifier()
        self._health = Health(report, self.metrics, self.claim_now)
        self._vitals = Vitals(report, isolation or {})

    async def run(self) -> int:
        """Work until a signal, then drain. Returns the exit code."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, stop)
        port = await self._health.start(self.config.host, self.config.port)
        log.info("worker.started", id=self.worker_id, slots=self.config.slots, port=port)
        grace = math.ceil(self.config.drain_within([]) + LAST_DELIVERY_SECONDS[1])
        log.info("worker.grace_period", seconds=grace, why=_GRACE)
        queue = self._join_queue()
        self.first.watch(self._first_ready)
        self._start(verify_newest(self.services.store))
        await Adoption(self.run_folders, self._adopted, self._start).all()
        self._background = [
            asyncio.create_task(self.connection.run()),
            asyncio.create_task(self._prune()),
            asyncio.create_task(self._watch_slots()),
            asyncio.create_task(self._notifier.keep_alive()),
            asyncio.create_task(self._vitals.run(queue)),
            asyncio.create_task(collections.look_up(self.config, self.services.store)),
        ]
        if self.config.loop:
            self._background += [asyncio.create_task(c.run()) for c in self._claimers]
        self._notifier.tell("READY=1")
        await stop.wait()
        self._notifier.tell("STOPPING=1")
        log.info("worker.ended", code=(code := await self._drain(queue)))
        return code

    # Claims

    def _join_queue(self) -> Channel:
        queues = {loop.key: loop.slots for loop in self.loops}
        payload = QueueJoin(self.config.slots, queues).to_payload()
        queue = self.connection.join(WORKER_QUEUE, payload, timeout=self.config.message_seconds)
        turn = Turn()
        self._claimers = [
            Claimer(
                loop, queue, self.config.name, self.config.backoff, self.config.claim_seconds,
                self.take, self.blocked, turn, self.metrics,
            )
            for loop in self.loops
        ]  # fmt: skip
        queue.on_change = self._queue_changed
        queue.on_push = self._pushed
        queue.on_late = self._late
        return queue

    def _pushed(self, event: str, _payload: Payload) -> None:
        if event == WORK_AVAILABLE and self.config.loop:
            self._look_for_work()

    def _first_ready(self) -> None:
        self._vitals.changed()
        self._look_for_work()

    def _look_for_work(self) -> None:
        for claimer in self._claimers:
            claimer.refresh()

    def _late(self, reply: Reply) -> None:
        """A claim was answered after its time: what it brings is ours all the same."""
        if not any(claimer.late(reply) for claimer in self._claimers):
            log.warn("claim.unknown_answer", ref=reply.ref)
            self._claimers[-1].accept(reply)

    async def claim_now(self) -> bool:
        """POST /claim: one claim on every workloop with room; whether any run came."""
        if self.blocked() is not None:
            return False
        found = await asyncio.gather(*(claimer.claim() for claimer in self._claimers))
        return any(found)

    def blocked(self) -> str | None:
        """Why nothing may be claimed now; None if it may."""
        if self.draining or self.first.waits:
            return "draining" if self.draining else NOT_READY
        if self.backlog.full(self.connection.now()):
            return "too many runs wait for their delivery"
        if self.connection.now() < self._disk_bad_until:
            return "the disk could not be written to"
        if not self.memory.fits(self.config.run_memory_mb + self.config.overhead_mb):
            return "the memory budget is given out"
        if self.connection.isolation.active:  # a claim that a cut takes along is a lost run
            return TRYING
        untrusted = self.trust.blocked(self.connection.now())
        return untrusted or disk_problem(self.run_folders.journals)

    def take(self, claimed: ClaimedRun, loop: Workloop) -> None:
        """A run was given to us."""
        faults.point("agent.claimed")
        log.info("run.claimed", run=claimed.id, loop=loop.key)
        self.backlog.claimed(self.connection.now())
        known = self.runs.get(claimed.id)
        if known is not None:
            known.renew(claimed.token)
            return
        if claimed.id in self._opening:
            self._opening[claimed.id] = claimed.token
            return
        self.trust.claimed(claimed.id)
        bad = self._bad_token(claimed)
        if bad is not None:
            self.trust.failed(claimed.id, bad, self.connection.now(), for_good=True)
        self._opening[claimed.id] = claimed.token
        self._start(self._open(claimed.id, loop, bad))

    def _bad_token(self, claimed: ClaimedRun, at: float | None = None) -> str | None:
        """What is wrong with the run's token at `at` (seconds since 1970; now); None: nothing."""
        if self._key is None:
            return None
        when = time.time() if at is None else at
        try:
            verify_run_token(claimed.token, self._key, when, run_id=claimed.id, strict=False)
        except TokenError as error:
            log.error("run.bad_token", run=claimed.id, why=error.message)
            return f"{_UNVERIFIED}: {error.message}. {_UNVERIFIED_FIX}"
        return None

    def _bad_adopted(self, case: FoundRun) -> str | None:
        """The same of a run that an earlier worker claimed and that has not started."""
        if not case.unstarted or case.token is None:
            return None
        bad = self._bad_token(ClaimedRun(case.run_id, case.token), at=case.claimed_at)
        if bad is not None:
            self.trust.failed(case.run_id, bad, self.connection.now(), for_good=True)
        return bad

    async def _open(self, run_id: str, loop: Workloop, bad: str | None) -> None:
        try:
            case = await self._journaled(run_id, loop)
        finally:
            token = self._opening.pop(run_id)
        if case is None:
            # Not joined, so a platform that watches its claims gives it to somebody else.
            self.trust.gone(run_id)
            self._release(run_id, loop)
            return
        faults.point("agent.journaled")
        if token != case.token:
            self.run_folders.renew(case, token)
        await self._live(case, loop, bad)

    async def _journaled(self, run_id: str, loop: Workloop) -> FoundRun | None:
        """Bring a claim to disk; None if the disk will not have it for longer than a while."""
        for delay in _DISK_AGAIN_SECONDS:
            try:
                case = await asyncio.to_thread(
                    self.run_folders.open, run_id, self._opening[run_id], self.config.platform,
                    self.worker_id, loop.key,
                )  # fmt: skip
            except OSError as error:
                log.error("run.not_journaled", run=run_id, why=error)
                self._disk_bad_until = self.connection.now() + DISK_PAUSE_SECONDS
                await asyncio.sleep(delay)
            else:
                self._disk_bad_until = float("-inf")
                return case
        return None

    # Runs

    @property
    def undelivered(self) -> int:
        """Runs of which the platform lacks something."""
        return sum(run.ending is None for run in self.runs.values())

    def _adopted(self, case: FoundRun) -> None:
        """A run of an earlier agent goes on here."""
        loop = self._loop_of(case)
        if case.ended:
            self.backlog.ended(case.run_id, found=True)
        loop.runs.add(case.run_id)
        self._start(self._live(case, loop, self._bad_adopted(case)))

    def _loop_of(self, case: FoundRun) -> Workloop:
        """The loop that claimed the run, if there is one of that name; else the emptiest."""
        named = [loop for loop in self.loops if loop.key == case.loop]
        return min(named or self.loops, key=lambda loop: len(loop.runs) / loop.slots)

    async def _live(self, case: FoundRun, loop: Workloop, bad: str | None = None) -> None:
        """Look after one run until its delivery is over, whatever goes wrong on the way.

        `bad`: why it cannot be executed here.
        """
        delay, again = _AGAIN_SECONDS[0], None
        while True:
            run = self.runs[case.run_id] = Run(
                self.services, case, self._places[loop.key], bad, again=again
            )
            try:
                ending = await run.work()
            except Exception as error:
                log.failure("run.interrupted", error, run=case.run_id, retry_seconds=delay)
            else:
                self.done[ending] += 1
                break
            await asyncio.sleep(delay)
            delay = min(_AGAIN_SECONDS[1], delay * 2)
            reread = await asyncio.to_thread(self.run_folders.look, case.folder.path)
            case = reread if isinstance(reread, FoundRun) else case
            again = run.again  # a claim that came while it was to be put away
        del self.runs[case.run_id]
        if ending is DeliveryState.RETURNED and bad is None:
            why = "the platform refuses the channels of runs that it gives to this worker"
            self.trust.failed(case.run_id, why, self.connection.now(), for_good=False)
        self.trust.gone(case.run_id)
        self.backlog.gone(case.run_id, delivered=ending is DeliveryState.COMPLETE)
        if run.again is not None:
            self.take(ClaimedRun(case.run_id, run.again), loop)
        else:
            self._release(case.run_id, loop)

    def _release(self, run_id: str, loop: Workloop) -> None:
        """A slot is free again."""
        loop.runs.discard(run_id)
        for claimer in self._claimers:
            if claimer.loop is loop:
                claimer.refresh()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.failure("worker.task_failed", error)

    def _changed(self, key: str) -> None:
        """A run moved on: its slot may be free."""
        run = self.runs[key]
        if run.stage is Stage.DELIVERING:
            self.backlog.ended(key)
        elif run.ending is not None:
            self.backlog.gone(key, delivered=run.ending is DeliveryState.COMPLETE)
        if run.settled:
            for claimer in self._claimers:
                if key in claimer.loop.runs:
                    self._release(key, claimer.loop)

    def _queue_changed(self) -> None:
        """worker:queue was joined or lost: loops that can claim again do so at once."""
        self._vitals.changed()
        for claimer in self._claimers:
            claimer.refresh()

    async def _watch_slots(self) -> None:
        """Free the slots of ended runs whose end the platform does not take."""
        while True:
            await asyncio.sleep(_SLOTS_SECONDS)
            for key in list(self.runs):
                self._changed(key)

    def _busy(self) -> bool:
        """Whether a run is on its way to its start or its end; a claim may bring one."""
        if self._opening or any(loop.claims for loop in self.loops):
            return True
        return any(run.in_a_hurry for run in self.runs.values())

    async def _prune(self) -> None:
        while True:
            await self.idle.turn()
            removed = await asyncio.to_thread(
                self.run_folders.prune,
                keep_seconds=self.config.keep_hours * 3600,
                keep_bytes=self.config.keep_mb * 1024 * 1024,
            )
            if removed:
                log.info("archive.pruned", runs=removed)
            await asyncio.sleep(_PRUNE_SECONDS)

    # The end

    def _signalled(self, stop: asyncio.Event) -> None:
        if stop.is_set():
            log.warn("worker.drain_hurried", reason="second_signal", runs=len(self.runs))
            self._hurry.set()
        stop.set()

    async def _drain(self, queue: Channel) -> int:
        """No more claims; finish and deliver; at the deadline end what still runs."""
        self.draining = True
        self.idle.hurry()
        within = self.config.drain_within(run.case.timeout_seconds for run in self.runs.values())
        log.info("worker.draining", runs=len(self.runs), seconds=within)
        ended = 0
        if not await self._settled(within, self._hurry):
            running = [run for run in self.runs.values() if not run.ended]
            ended = len(running)
            log.warn("worker.drain_deadline", runs=ended)
            for run in running:
                await run.cancel("The worker was stopped before the run had ended.")
            least, most = LAST_DELIVERY_SECONDS
            self._hurry.clear()  # another signal gives this up too
            seconds = min(most, max(least, within))
            await self._settled(seconds, self._hurry)
        queue.leave()
        left = self.undelivered
        connecting, *others = self._background
        await self._stop([*others, *self._tasks])
        await self.connection.close()
        await self._stop([connecting])
        await self._health.close()
        if left:
            log.error("worker.undelivered", runs=left)
            return UNDELIVERED
        return ENDED_AT_DEADLINE if ended else DRAINED

    async def _settled(self, seconds: float, hurry: asyncio.Event) -> bool:
        """Wait until nothing is left to do; False when the time is up."""
        deadline = self.connection.now() + seconds
        while self._tasks or any(loop.claims for loop in self.loops):
            left = deadline - self.connection.now()
            if left <= 0 or hurry.is_set():
                return False
            await asyncio.sleep(min(left, 0.02))
        return True

    @staticmethod
    async def _stop(tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _worker_token(self) -> str:
        return sign_worker_token(self.config.secret, self.worker_id, int(time.time()))


async def serve(config: WorkerConfig, environment: Mapping[str, str]) -> int:
    """Run an agent with this configuration; returns its exit code. HoldfastError."""
    durable.make_folder(config.data)
    with RunLock(config.data / "worker.lock"):
        run_folders = RunFolders(config.journals, config.archive, Vault(config.data))
        socket = environment.get(SOCKET_VARIABLE) or config.data / "engine.sock"
        engine = await Engine.connect(absolute(socket))
        first, isolation = FirstProcess(environment), isolation_from(environment)
        return await Agent(config, engine, run_folders, first, isolation).run()


def main(environment: Mapping[str, str] = os.environ) -> int:
    """The entry point. Errors a person can mend are one message and exit code 2."""
    kernel.set_dumpable(False)  # its environment holds the secret: not for others of this user
    try:
        config = WorkerConfig.from_environment(environment)
        log.set_up(config.log_level, config.log_format)
        log_libraries.capture()
        sentry.set_up(config.sentry_dsn, config.sentry_env)
        telemetry.set_up(environment)
        if config.egress is None:
            log.info("egress.default", policy=config.egress_policy, tighten="WORKER_EGRESS=public")
        for name, why in config.ignored:
            log.warn("option.without_effect", name=name, why=why)
        return asyncio.run(serve(config, environment))
    except HoldfastError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"error: the worker cannot start: {error}\n")
        return 2
