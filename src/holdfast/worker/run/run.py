"""One claimed run from its claim to its acceptance; also after a restart, from wherever it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from enum import Enum

from holdfast import faults, log
from holdfast.adaptors.store import Store
from holdfast.engine.client import Engine, EngineError, RunHandle
from holdfast.engine.request import RunRequest
from holdfast.engine.supervisor import lost_runs
from holdfast.journal import DeliveryState, JournalDamaged, is_locked
from holdfast.model.errors import HoldfastError
from holdfast.model.json import JsonObject
from holdfast.model.limits import NO_TIMEOUT_SECONDS
from holdfast.model.outcome import Outcome, Reason
from holdfast.model.record import Kind
from holdfast.protocol.frames import Payload
from holdfast.protocol.messages import (
    RUN_ABORT,
    Extension,
    cancel_reason,
    run_topic,
    timestamp_text,
)
from holdfast.protocol.tokens import lifetime_of
from holdfast.worker import telemetry
from holdfast.worker.config import WorkerConfig
from holdfast.worker.connection import Channel, Connection
from holdfast.worker.idle import Idle
from holdfast.worker.memory import MemoryBudget
from holdfast.worker.metrics import Metrics
from holdfast.worker.outbox.deliverer import Deliverer
from holdfast.worker.outbox.scrubbing import Scrubbing
from holdfast.worker.run.preparation import UNVERIFIED, Preparation, PreparationFailed
from holdfast.worker.run.questions import Questions
from holdfast.worker.run_folders import FoundRun, RunFolders, plain

#: A run that has not started is given back after this many refused joins in a row.
FIRST_REFUSALS = 3
#: The delivery of an ended run is given up after its channel was refused for this time.
REFUSED_SECONDS = 900.0
#: An ended run keeps its slot for this time at most when the platform does not take its end.
HOLD_SECONDS = 60.0
#: Launches of a run whose shim dies before it has started a process.
LAUNCHES = 3
#: How long to wait for a supervisor that is being replaced.
_ENGINE_SECONDS = 60.0
#: A run ends so long before its token does, or a quarter of its time: enough to deliver the end.
END_SECONDS = 5.0
#: A run that has gone on for longer needs nothing at once.
_FRESH_SECONDS = 0.2
#: With less time than this a run is not started.
_LEAST_SECONDS = 0.5
_TOO_LATE = (
    "The run waited so long on this worker that the time which the platform gives it has passed"
    " before it could start."
)


_TOO_LARGE = "The run's memory limit is larger than the worker's whole memory budget."


class Stage(Enum):
    """Where a run stands, as /metrics and the log say it."""

    PREPARING = "preparing"
    WAITING = "waiting"  # for a place in the engine
    RUNNING = "running"
    DELIVERING = "delivering"  # it has ended; the platform does not know all of it
    DONE = "done"


class NotOurs(HoldfastError):  # noqa: N818 - states a fact
    """The platform does not let us join a run that has not started: it is not ours (any more)."""


@dataclass
class RunServices:
    """What every run needs: shared by all of them."""

    config: WorkerConfig
    connection: Connection
    engine: Engine
    store: Store
    run_folders: RunFolders
    clock_us: Callable[[], int]
    metrics: Metrics
    memory: MemoryBudget
    on_change: Callable[[str], None] = lambda _: None  # a run moved on
    on_joined: Callable[[str], None] = lambda _: None  # a run that is ours, and can be executed
    idle: Idle = field(default_factory=lambda: Idle(lambda: False))


@dataclass
class Run:
    """See the module. `work` is its whole life."""

    services: RunServices
    case: FoundRun
    places: asyncio.Semaphore  # of its workloop in the engine
    bad: str | None = None  # why it cannot be executed here, whatever it is
    stage: Stage = Stage.PREPARING
    handle: RunHandle | None = None
    ending: DeliveryState | None = None  # how its delivery ended
    again: str | None = None  # the token of a claim that came when this life was over
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _cancelled: str | None = None
    #: Why the platform wants it to end.
    _unwanted: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    _request: RunRequest | None = None
    _since: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    _ended_at: float | None = None
    _delivered: bool = False  # or it cannot be
    _told: bool = False  # by the shim that the outcome is synced

    def __post_init__(self) -> None:
        self.channel = self._join()
        self.scrubbing = Scrubbing(self.case.credential_ids)
        self.deliverer = Deliverer(
            self.services.config, self.case.folder, self.case.run_id, self.channel,
            self.scrubbing, self.case.resumed,
        )  # fmt: skip
        self.channel.on_change = self._changed
        self.channel.on_push = self._pushed

    @property
    def ended(self) -> bool:
        """Whether its outcome stands; the engine has nothing more to do for it."""
        return self.stage in {Stage.DELIVERING, Stage.DONE}

    @property
    def in_a_hurry(self) -> bool:
        """Whether it is on its way to its first step, or to its end."""
        running = self.stage is Stage.RUNNING and self.stage_seconds > _FRESH_SECONDS
        return not running and self.stage is not Stage.DONE

    @property
    def stage_seconds(self) -> float:
        """For how long it has been in its stage."""
        return asyncio.get_running_loop().time() - self._since

    @property
    def undelivered_seconds(self) -> float:
        """For how long it has ended without the platform having its end; 0 if it has not ended."""
        if self._ended_at is None or self._delivered:
            return 0.0
        return asyncio.get_running_loop().time() - self._ended_at

    @property
    def waits_for(self) -> str | None:
        """What keeps it from going on, for a person; None if nothing does."""
        if self.stage is Stage.WAITING:
            return self.services.memory.why(self.case.run_id) or "a place in the engine"
        if not self.channel.joined:
            return plain_refusal(self.channel) if self.channel.refusals else "the platform"
        return None

    @property
    def settled(self) -> bool:
        """Whether it holds its slot no longer: the platform has its end, or will not hear of it.

        Until then the platform counts it as one of this worker's runs.
        """
        if self._ended_at is None:
            return False
        waited = asyncio.get_running_loop().time() - self._ended_at
        deaf = self.channel.refusals >= FIRST_REFUSALS or waited > HOLD_SECONDS
        return self.again is None and (self._delivered or deaf)

    def renew(self, token: str) -> None:
        """The platform gave this run to us again: use the new token, or keep it as `again`."""
        if self.stage is Stage.DONE:  # it is being put away
            self.again = token
            return
        self.services.run_folders.renew(self.case, token)
        self._join()

    async def cancel(self, why: str) -> None:
        """End the run if it has not ended yet; its outcome will be true and be delivered."""
        self._cancelled = why
        self._wake.set()
        if self.handle is not None:
            await self.handle.cancel(why)

    async def work(self) -> DeliveryState:
        """Prepare, execute, deliver, put away. Returns how the delivery ended."""
        delivering = asyncio.create_task(self._deliver())
        watching = asyncio.create_task(self._watch_refusals())
        listening = asyncio.create_task(self._end_when_asked())
        try:
            try:
                await self._execute()
            except NotOurs as error:
                log.warn("run.not_ours", run=self.case.run_id, why=error.message)
                delivering.cancel()
                return await self._put_away(DeliveryState.RETURNED, error.message)
            self._ended_at = asyncio.get_running_loop().time()
            self._enter(Stage.DELIVERING)
            if not self._told:
                await asyncio.to_thread(self.services.run_folders.make_durable, self.case.folder)
            self.deliverer.durable = None
            self.deliverer.poke()
            try:
                ending = await delivering
            except JournalDamaged as error:
                log.error("journal.damaged", run=self.case.run_id, why=error.message)
                await self._end_here(Reason.EXCEPTION, "JournalDamaged", error.message)
                ending = await self._deliver()
            self._delivered = True
            self.ending = ending
            if self.deliverer.reason is not None:
                self.services.metrics.outcomes.labels(self.deliverer.reason).inc()
            return await self._put_away(ending, self.deliverer.given_up)
        finally:
            delivering.cancel()
            watching.cancel()
            listening.cancel()
            await asyncio.gather(delivering, watching, listening, return_exceptions=True)

    async def _deliver(self) -> DeliveryState:
        """Deliver to the end; from the mark again where the disk has failed on the way."""
        delay = 1.0
        while True:
            try:
                return await self.deliverer.deliver()
            except OSError as error:
                log.error(
                    "delivery.disk_failed", run=self.case.run_id, why=error, retry_seconds=delay
                )
            await asyncio.sleep(delay)
            delay = min(60.0, delay * 2)

    # Execution

    async def _execute(self) -> None:
        """Returns when the journal holds the outcome."""
        case = self.case
        for _ in range(LAUNCHES):
            if case.unstarted and not is_locked(case.folder.lock):
                await self._start()
            elif not case.ended:
                async with self._memory(running=True), self.places:
                    await self._attach()
                    await self._follow()
            if case.ended:
                return
            log.warn("run.relaunched", run=case.run_id, reason="shim_died_before_start")
        await self._end_here(
            Reason.EXCEPTION, "LaunchError", "The run could not be started on this worker."
        )

    async def _start(self) -> None:
        """Prepare (once), launch and follow. The outcome stands, or no code has run."""
        if self._request is None:
            try:
                self._request = await self._prepare()
            except PreparationFailed as error:
                log.warn("run.not_prepared", run=self.case.run_id, why=error.message)
                await self._end_here(error.reason, error.error_type, error.message)
                return
        self._enter(Stage.WAITING)
        if self._beyond_budget():
            await self._end_here(Reason.EXCEPTION, "MemoryBudgetError", _TOO_LARGE)
            return
        async with self._memory(), self.places:
            if self._cancelled is not None:
                await self._end_here(Reason.CANCEL, "Cancelled", self._cancelled)
            elif (request := self._in_time(self._request)) is None:
                await self._end_here(Reason.KILL, "TimeoutError", _TOO_LATE)
            elif await self._launch(request):
                # Credentials are not kept; another launch fetches them again.
                self._request = request = None
                await self._follow()

    def _memory(self, *, running: bool = False) -> AbstractAsyncContextManager[None]:
        """This run's share of the worker's memory budget."""
        case = self.case
        return self.services.memory.held(case.run_id, case.memory_mb, running=running)

    def _beyond_budget(self) -> bool:
        total = self.services.memory.total_mb
        return total is not None and self.case.memory_mb > total

    async def _prepare(self) -> RunRequest:
        await self._rejoined()
        if self.bad is not None:
            raise PreparationFailed(UNVERIFIED, self.bad)
        self.services.on_joined(self.case.run_id)
        faults.point("agent.joined")
        services = self.services
        preparation = Preparation(
            services.config,
            services.store,
            services.run_folders,
            self.channel,
            self.case,
            self.scrubbing,
            Questions(self.channel, self._rejoined, services.config.message_seconds),
        )
        request = await preparation.prepare()
        faults.point("agent.prepared")
        return request

    def _in_time(self, request: RunRequest) -> RunRequest | None:
        """The request with a time limit that ends before the platform calls the run lost.

        A Lightning counts from the claim (`docs/spec/lightning-answers.md` 2 and 12), the run's
        own limit from its start. None if no time is left.
        """
        lifetime = lifetime_of(self.case.token or "")
        limit = request.limits.timeout_seconds
        if lifetime is None or limit >= NO_TIMEOUT_SECONDS:
            return request
        now = self.services.clock_us() / 1e6
        spare = min(END_SECONDS, lifetime / 4)
        left = self.case.claimed_at + lifetime - spare - now
        if left >= limit:
            return request
        if left < _LEAST_SECONDS:
            return None
        limits = replace(request.limits, timeout_seconds=int(left * 1000) / 1000)
        return replace(request, limits=limits)

    async def _launch(self, request: RunRequest) -> bool:
        """Hand the run to a shim; False if none would take it, and the run has ended so."""
        deadline = asyncio.get_running_loop().time() + _ENGINE_SECONDS
        self._enter(Stage.RUNNING)
        while True:
            try:
                self.handle = await self.services.engine.launch(request)
            except (EngineError, OSError, TimeoutError) as error:
                if await self._heard():
                    await self._attach()
                    return True
                if asyncio.get_running_loop().time() > deadline:
                    await self._end_here(Reason.EXCEPTION, "EngineError", str(error))
                    return False
                log.warn("run.launch_failed", run=self.case.run_id, why=error)
                await asyncio.sleep(1)
            else:
                self.case.launched = True
                faults.point("agent.launched")
                log.info("run.launched", run=self.case.run_id)
                return True

    async def _heard(self) -> bool:
        """Whether a shim has, or had, the run although its answer was lost."""
        if is_locked(self.case.folder.lock):
            return True
        found = await asyncio.to_thread(self.services.run_folders.read, self.case.folder.path)
        return found is not None and not found.unstarted

    async def _attach(self) -> None:
        """Listen to the shim that has the run, if one still does."""
        self._enter(Stage.RUNNING)
        for _ in range(50):
            try:
                self.handle = await RunHandle.attach(self.case.folder.path)
            except OSError:
                if not is_locked(self.case.folder.lock):
                    return
                await asyncio.sleep(0.1)
            else:
                log.info("run.attached", run=self.case.run_id)
                return

    async def _follow(self) -> None:
        """Let durable records be delivered, until the outcome stands in the journal.

        Returns without one if the shim died before any process of the run existed.
        """
        if self.handle is not None:
            if self._cancelled is not None:
                await self.handle.cancel(self._cancelled)
            async for sequence in self.handle.progress():
                self.deliverer.durable = sequence
                self.deliverer.poke()
            if self.handle.ended:
                self.case.ended = self._told = True
            self.handle = None
        delay = 0.02
        while not self.case.ended:
            # The shim is gone: the supervisor, or else this, writes what is true.
            path = self.case.folder.path
            await asyncio.to_thread(lost_runs.end_lost_run, path)
            found = await asyncio.to_thread(self.services.run_folders.read, path)
            if found is not None and not is_locked(found.folder.lock):
                self.case.launched, self.case.ended = found.launched, found.ended
                if found.unstarted:
                    return
            if not self.case.ended:
                await asyncio.sleep(delay)
                delay = min(1.0, delay * 2)

    async def _end_here(self, reason: Reason, error_type: str, message: str) -> None:
        """No shim had the run: the outcome is ours to write."""
        outcome = Outcome(reason, error_type, message, {"launched": False})
        body = outcome.body(timestamp_text(self.services.clock_us()))
        await asyncio.to_thread(
            self.services.run_folders.append, self.case.folder, (Kind.OUTCOME, body)
        )
        self.case.ended = True

    # The channel

    def _join(self) -> Channel:
        topic, seconds = run_topic(self.case.run_id), self.services.config.message_seconds
        payload: JsonObject = {"token": self.case.token}
        return self.services.connection.join(topic, payload, timeout=seconds)

    def _pushed(self, event: str, payload: Payload) -> None:
        reason = payload.get("reason") if isinstance(payload, dict) else None
        if event == RUN_ABORT:
            self._unwanted.put_nowait(cancel_reason(reason) or "Somebody cancelled the run.")

    async def _end_when_asked(self) -> None:
        """A platform may ask more than once; one that repeats itself does no harm."""
        while True:
            reason = await self._unwanted.get()
            if not self.ended:
                log.info("run.cancelled", run=self.case.run_id)
                await self.cancel(reason)

    def _changed(self) -> None:
        wish = Extension.from_response(self.channel.response).cancel
        if self.channel.joined and wish is not None and self._cancelled is None:
            self._unwanted.put_nowait(wish)
        self._wake.set()
        self.deliverer.poke()

    async def _rejoined(self) -> None:
        """Wait until the channel is joined. NotOurs if the platform goes on refusing it."""
        while not self.channel.joined:
            if self.channel.refusals >= FIRST_REFUSALS and self.case.unstarted:
                raise NotOurs(plain_refusal(self.channel))
            self._wake.clear()
            await self._wake.wait()

    async def _watch_refusals(self) -> None:
        """Give a run up that has ended and that the platform refuses to hear of."""
        loop = asyncio.get_running_loop()
        since: float | None = None
        while True:
            if self.channel.refusals < FIRST_REFUSALS or not self.ended:
                since = None
            elif since is None:
                since = loop.time()
            elif loop.time() - since >= REFUSED_SECONDS:
                self.deliverer.give_up(plain_refusal(self.channel))
                return
            await asyncio.sleep(min(5.0, REFUSED_SECONDS / 10))

    # The end

    async def _put_away(self, ending: DeliveryState, why: str | None) -> DeliveryState:
        notes: list[JsonObject] = []
        self._enter(Stage.DONE)
        if why is not None:
            notes.append({"what": ending.name.lower(), "why": why})
            log.error("run.undelivered", run=self.case.run_id, ending=ending.name, why=why)
        self.channel.leave()
        if ending is DeliveryState.COMPLETE:  # any other says something about the worker
            await self.services.idle.turn()
        await self._shim_gone()
        await asyncio.to_thread(
            self.services.run_folders.close, self.case.folder, ending, notes, keep=self.case.keep
        )
        telemetry.done(self.case.run_id, ending.name)
        log.info("run.done", run=self.case.run_id, ending=ending.name)
        return ending

    async def _shim_gone(self) -> None:
        """Its shim clears away for a moment after the outcome; only then is the folder ours."""
        for _ in range(500):
            if not is_locked(self.case.folder.lock):
                return
            await asyncio.sleep(0.02)

    def _enter(self, stage: Stage) -> None:
        if stage is not self.stage:
            self.services.metrics.phases.labels(self.stage.value).observe(self.stage_seconds)
            telemetry.phase(self.case.run_id, self.stage.value, self.stage_seconds)
            self._since = asyncio.get_running_loop().time()
        self.stage = stage
        self.services.on_change(self.case.run_id)


def plain_refusal(channel: Channel) -> str:
    """Why the platform refuses the channel."""
    answer = channel.refusal
    text = plain(answer) if not isinstance(answer, bytes) else repr(answer)
    return f"the platform refuses the run's channel: {text[:300]}"
