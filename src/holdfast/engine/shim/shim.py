"""The shim: owns one run from LAUNCH to OUTCOME. Forked from the supervisor, in its own session.

It never waits for an agent and believes nothing the run process says against the kernel. See
`docs/engine-protocol.md`.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from holdfast import faults
from holdfast.engine.config import EngineConfig, EngineError
from holdfast.engine.frames import Control, FrameError, FromRun, ToRun, encode
from holdfast.engine.host import Host
from holdfast.engine.loop import Loop
from holdfast.engine.request import RunRequest
from holdfast.engine.shim import hot
from holdfast.engine.shim.clients import Clients
from holdfast.engine.shim.compiled import Compiled, Frame
from holdfast.engine.shim.egress import Egress
from holdfast.engine.shim.explainer import Explainer
from holdfast.engine.shim.launch import Lane, RunProcess, receive_launch, refuse_second_launch
from holdfast.engine.shim.outcome import gather
from holdfast.engine.shim.processes import Process
from holdfast.engine.shim.recorder import (
    DocumentsTooLarge,
    ProtocolViolation,
    Recorder,
    log_line,
    now_text,
)
from holdfast.engine.shim.standby import Waiting, audience_of, remember
from holdfast.engine.shim.steps import StepProcesses
from holdfast.engine.shim.walls import network_of, readable_roots
from holdfast.engine.shim.watch import Watch
from holdfast.engine.zygote import rule
from holdfast.journal import Journal, JournalError, JournalFull, RunFolder, RunLock
from holdfast.model import bodies
from holdfast.model.classify import classify
from holdfast.model.evidence import Evidence, Stop
from holdfast.model.limits import MEBIBYTE
from holdfast.model.record import Kind
from holdfast.model.scrubber import Scrubber
from holdfast.sandbox import kernel, processes
from holdfast.sandbox.egress import EgressError, Policy
from holdfast.sandbox.spawn import SpawnError
from holdfast.sandbox.spec import Network

#: How long a run process may stay after it said how the run ended.
_LINGER_SECONDS = 2.0
#: Records wait at most this long for their sync.
_SYNC_SECONDS = 0.1
#: And not more of them.
_UNSYNCED_BYTES = 8 * MEBIBYTE
_RETRY_SECONDS = 1.0
#: Longer than anybody looks at a lock.
_LOCK_SECONDS = 1.0
#: Frames of the compiler that are for the run process, or wake it.
_FOR_THE_ENGINE = (ToRun.PLAN, ToRun.MODULE, FromRun.COMPILED)


def serve(
    config: EngineConfig,
    host: Host,
    channel: socket.socket,
    notify: int,
    connection: socket.socket | None,
) -> None:
    """See one run after another through, until the supervisor lets go of `channel`.

    `connection` is that of the first run, `notify` a pipe to the supervisor: it gets the folder
    of each run once that is ours.
    """
    kernel.adopt_orphans()
    waiting = Waiting(config, host, channel)
    try:
        while connection is not None or (connection := waiting.connection()) is not None:
            with connection:
                _serve((config, host, notify), connection, waiting)
            connection = None
            waiting.idle()
    finally:
        waiting.end()


def _serve(
    own: tuple[EngineConfig, Host, int], connection: socket.socket, waiting: Waiting
) -> None:
    config, host, notify = own
    run: RunProcess | None = None
    try:
        request = receive_launch(connection)
        policy = Policy.from_option(
            request.options.get("egress"),
            own_addresses=host.own_addresses,
            nameservers=host.nameservers,
        )
        plan = RunFolder(request.directory).plan
        compilation = Compiled.of(config, plan, request.options)
        run = _run_process((config, host), request, network_of(policy), waiting, compilation)
        spare = [] if waiting.ready is None else waiting.ready.pids
        shim = Shim(request, policy, waiting.loop, run, compilation=compilation, spare=spare)
    except (EngineError, EgressError, JournalError, FrameError, OSError) as error:
        if run is not None:
            run.discard()
        text = json.dumps({"message": str(error)}).encode()
        with suppress(OSError):
            connection.sendall(encode(Control.REFUSED, text))
        return
    os.write(notify, f"{request.directory}\n".encode())
    remember(config, request)
    shim.run(connection)
    if run.lane is Lane.ZYGOTE and compilation is not None:
        rule.remember(config, compilation.digest, shim.peak, request.limits.memory_bytes)


def _run_process(
    own: tuple[EngineConfig, Host],
    request: RunRequest,
    network: Network,
    waiting: Waiting,
    compilation: Compiled | None,
) -> RunProcess:
    """A child of a zygote where one serves, else the process that waits if it fits, else new."""
    config, host = own
    roots = readable_roots(request.options)
    workflow = compilation.digest if compilation is not None else None
    keeper = None
    alone = request.options.get("process_per_step") is True
    if not alone and rule.unavailable(config, host) is None:
        keeper = rule.keeper_for(config, request, network, workflow)
    if keeper is None and (ready := waiting.take()) is not None:
        if ready.fits(request.limits, network, roots, audience_of(request)):
            return ready
        ready.discard()
    return RunProcess(
        *own,
        waiting.loop,
        request.limits,
        network=network,
        roots=roots,
        label=request.directory.name,
        keeper=keeper,
    )


class Shim:
    """One run. Raises JournalError, OSError when the run's folder cannot be taken over."""

    def __init__(
        self,
        request: RunRequest,
        policy: Policy,
        loop: Loop,
        run: RunProcess,
        *,
        compilation: Compiled | None,
        spare: list[int],
    ) -> None:
        self._request = request
        self._spare = spare  # processes of ours that are none of this run
        self.peak = 0  # bytes, once the run has ended
        self._limits = request.limits
        self._folder = RunFolder(request.directory)
        self._loop = loop
        self._run = run
        self._group = run.group
        self._compiler, self._engine = run.compiler, run.engine
        self._compiled = False
        self._over = False
        self.stop: Stop | None = None
        self.stop_detail: str | None = None
        #: Whether the engine was on a processor, or waited for one, when its time was up.
        self._computing: bool | None = None
        self._sample = hot.Sample(loop, run.group.kill)
        self._started = time.monotonic()
        self._lock = RunLock(self._folder.lock, patience_seconds=_LOCK_SECONDS)
        refuse_second_launch(self._folder)
        budget = self._limits.journal_mb * MEBIBYTE
        self._journal = Journal.open(self._folder.journal, max_bytes=budget)
        self._recorder = Recorder(self._journal, request.directory, budget)
        self._recorder.on_said_end = self._said_end
        self._compilation = compilation
        self._known: list[Frame] | None = None
        self._guard(self._compile)  # the compiler works while all else is made ready
        self._clients = Clients(loop, self._cancel)
        run.on_frame, run.on_end = self._frame, self._ended
        scratch = None if run.own_files else run.scratch
        self._reached: Counter[str] = Counter()
        self._seen = run.walls.network is Network.BROKER
        self._egress = Egress(loop, policy, self._log, scratch, self._reached)
        self._explainer = Explainer(self._recorder)
        self._steps: StepProcesses | None = None
        if request.options.get("process_per_step") is True:
            self._steps = StepProcesses(
                loop,
                run,
                self._recorder,
                request,
                options=self._options,
                egress=lambda: Egress(loop, policy, self._log, scratch, self._reached),
            )
        self._watch = Watch(loop, self._group, self._recorder, self._limits, self._stop)

    def run(self, connection: socket.socket) -> None:
        """From here to the outcome, whatever happens."""
        faults.point("shim.launched")
        self._guard(self._start)
        self._clients.add(connection)
        self._clients.tell(Control.ACCEPTED, b"{}")
        if self.stop is None:
            self._guard(self._feed_engine)
        while not self._over:
            self._guard(self._loop.turn)
            self._guard(self._keep)
        self._finish()

    def _start(self) -> None:
        self._clients.listen(self._folder.control_socket)
        if not self._engine.pid and self.stop is None:
            try:
                self._run.start_engine()
                self._engine = self._run.engine  # another one, if its zygote is gone
            except OSError as error:
                self._stop(Stop.SETUP, str(error))
        faults.point("shim.forked")
        if (broker := self._engine.take_broker()) is not None:
            self._egress.start(broker, self._engine.pidfd)
        if not self._run.own_files:
            self._watch.scratch = self._run.scratch
        self._announce()
        if self.stop is None:
            self._watch.start(self._engine.pid)
        self._journal.flush()  # before any code of the author runs, and while it is compiled

    def _announce(self) -> None:
        limits = self._limits
        running = [item for item in (self._engine, self._compiler) if item.pid]
        launched: bodies.Launched = {
            "shim": os.getpid(),
            "shim_started": processes.start_time(os.getpid()),
            "boot": processes.boot_id(),
            "pids": {process.name: process.pid for process in running},
            "started": {process.name: process.started for process in running},
            "lane": self._run.lane.value,
            "layers": [layer.value for layer in self._run.layers],
            "memory_limit_mb": limits.memory_mb,
            "memory_means": self._group.means,
            "group": self._group.name,
            "scratch": str(self._run.scratch),
            "timeout_ms": round(limits.timeout_seconds * 1000),
        }
        self._recorder.append(Kind.LAUNCHED, launched)
        self._log("info", f"Memory limit: {limits.memory_mb}mb")
        if limits.timed:
            self._log("info", f"Timeout: {limits.timeout_seconds:g}s")
        versions = self._request.options.get("versions") or {}
        start: bodies.RunStart = {
            "timestamp": now_text(),
            "versions": versions if isinstance(versions, dict) else {},
        }
        self._recorder.append(Kind.RUN_START, start)

    def _log(self, level: bodies.Level, text: str) -> None:
        self._recorder.append(Kind.LOG, log_line(level, text))

    def _compile(self) -> None:
        """The clock begins: compiling counts."""
        self._started = time.monotonic()
        if self._limits.timed:
            self._loop.after(
                "deadline", self._limits.timeout_seconds, lambda: self._stop(Stop.TIMEOUT)
            )
        self._known = self._compilation.known() if self._compilation is not None else None
        if self._known is not None:
            return
        if not self._compiler.pid:
            try:
                self._run.start_compiler()
            except OSError as error:
                self._stop(Stop.SETUP, str(error))
                return
        self._compiler.outlet.send(ToRun.OPTIONS, self._options())
        self._compiler.outlet.send_file(ToRun.PLAN, self._folder.plan)
        self._compiler.outlet.send(ToRun.GO)
        self._compiler.outlet.flush()

    def _options(self, *, child: bool = False) -> bytes:
        options = {**self._request.options, "run_id": self._request.run_id}
        options["zygote"] = "child" if child else None
        options.setdefault("state_limit_mb", self._limits.state_mb)
        options.setdefault("payload_limit_mb", self._limits.payload_mb)
        options.setdefault("log_payload_limit_mb", self._limits.log_payload_mb)
        if (hosts := self._run.walls.hosts) is not None:
            options["hosts"] = {name: [*addresses] for name, addresses in hosts.items()}
        return json.dumps(options).encode()

    def _feed_engine(self) -> None:
        if self._compiler.pid:
            self._engine.outlet.on_low = self._compiler.inlet.resume
        self._engine.outlet.send(ToRun.OPTIONS, self._options(child=self._run.lane is Lane.ZYGOTE))
        credentials = self._request.credentials if self._steps is None else {}
        secrets = json.dumps(credentials).encode()
        self._engine.outlet.send(ToRun.CREDENTIALS, secrets)
        for kind, body in self._known or ():
            self._frame("compiler", kind, body)

    def _frame(self, sender: str, kind: int, body: bytes) -> None:
        if sender == "compiler" and self._known is None and self._compilation is not None:
            self._compilation.learn(kind, body)
        if sender == "compiler" and not self._engine.pid and kind in _FOR_THE_ENGINE:
            return  # Node.js could not be started: the run has ended with that
        if sender == "compiler" and kind in (ToRun.PLAN, ToRun.MODULE) and not self._compiled:
            if kind == ToRun.MODULE:
                self._sample.lines.learn(body)
            self._engine.outlet.send(kind, body)
            if self._engine.outlet.full and self._compiler.pid:
                self._compiler.inlet.pause()
        elif sender == "compiler" and kind == FromRun.COMPILED and not self._compiled:
            self._compiled = True
            self._engine.outlet.send_file(ToRun.INPUT, self._folder.input)
            self._engine.outlet.send(ToRun.GO)
        elif self._steps is not None and self._of_steps(self._steps, sender, kind, body):
            self._follow(self._steps.current)
        elif sender == "compiler" or kind != FromRun.READY:
            self._recorder.frame(sender, kind, body)

    def _of_steps(self, steps: StepProcesses, sender: str, kind: int, body: bytes) -> bool:
        try:
            return steps.frame(sender, kind, body)
        except SpawnError as error:
            self._stop(Stop.SETUP, str(error))
            return True

    def _follow(self, step: Process | None) -> None:
        """The process of a step is the run's engine for as long as it lives."""
        engine = step or self._run.engine
        if engine is not self._engine:
            self._engine = engine
            self._watch.follow(engine.pid)

    def _said_end(self) -> None:
        self._loop.at("deadline", None)
        if not self._compiled:
            self._group.kill()
        elif self._recorder.result is not None:
            self._over = True  # nothing that the engine still does counts
        else:
            self._loop.after("linger", _LINGER_SECONDS, lambda: self._stop(Stop.LINGERED))

    def _ended(self, process: Process) -> None:
        """A process is gone: take its last words, and see whether that ends the run."""
        self._guard(process.drain)
        if process.name == "compiler" and self._compiled and process.end and process.end.code == 0:
            return
        if self._steps is not None and self._steps.ended(process):
            self._follow(None)
            return
        if process is not self._compiler and not self._over:
            self._engine = process  # whose end is the run's
        self._group.kill()
        self._over = True

    def _cancel(self, body: bytes) -> None:
        reason = ""
        with suppress(ValueError, AttributeError):
            reason = str(json.loads(body).get("reason") or "")
        self._stop(Stop.CANCEL, reason[:1000])

    def _stop(self, cause: Stop, detail: str | None = None) -> None:
        if self.stop is None and (cause is Stop.LINGERED or not self._recorder.said_end):
            self.stop, self.stop_detail = cause, detail
            if cause is Stop.TIMEOUT and self._engine.pid:
                self._computing = processes.is_computing(self._engine.pid)
                if self._computing:
                    self._sample.take(self._engine)
                    return
        self._group.kill()
        if not self._engine.pid:
            self._over = True

    def _keep(self) -> None:
        """Write what has come, and sync it in groups."""
        journal = self._journal
        if journal.synced == journal.sequence:
            return
        journal.flush(sync=False)
        if journal.unsynced > _UNSYNCED_BYTES:
            self._sync()  # what a run writes is not kept in memory for longer than this
        elif not self._loop.has("sync"):
            self._loop.after("sync", _SYNC_SECONDS, self._sync)

    def _sync(self) -> None:
        self._journal.flush()
        self._clients.progress(self._journal.synced)

    def _guard(self, action: Callable[[], object]) -> None:
        """Do something that the run process, or the disk, may make fail."""
        try:
            action()
        except (ProtocolViolation, FrameError) as error:
            self._stop(Stop.PROTOCOL, str(error))
        except DocumentsTooLarge:
            self._stop(Stop.JOURNAL, f"{self._limits.journal_mb} MB")
        except JournalFull as error:
            cause = Stop.STORAGE if error.fix else Stop.JOURNAL
            self._stop(cause, error.message)
        except OSError as error:
            self._stop(Stop.STORAGE, str(error))

    def _finish(self) -> None:
        """Write the outcome. Nothing may interrupt this, so it is tried until it is done."""
        for process in self._processes():
            process.kill()
        self._guard(self._egress.stop)
        if self._steps is not None:
            self._guard(self._steps.stop)
        if self._recorder.result is None:
            self._reap()  # how it ended is evidence; else it may end beside what is to do now
        for name in ("deadline", "linger", "sync"):
            self._loop.at(name, None)
        self._sample.drop()
        self._watch.stop()
        evidence = gather(
            self._recorder,
            self._group,
            self._limits,
            (self._compiler, self._engine),
            compiled=self._compiled,
            spent_ms=self._spent_ms(),
            stop=(self.stop, self.stop_detail),
            started=self._started,
            layers=tuple(layer.value for layer in self._run.layers),
            clean=self._clean,
        )
        self.peak = evidence.memory.peak
        if self._computing is not None:
            evidence.notes["computing"] = self._computing
            self._guard(lambda: self._note_hot_line(evidence))
        if self._seen:
            evidence.notes["connections"] = {**self._reached}
        outcome = classify(evidence)
        self._recorder.abandon_streams()
        last = self._recorder.closing_records(outcome, evidence.memory.peak)
        last += self._explainer.last_words(outcome, self._egress.refused)
        faults.point("shim.outcome")
        while not self._recorder.write_end(last):
            self._reap()  # this may take long, and nothing of the run is to live as long
            time.sleep(_RETRY_SECONDS)
        faults.point("shim.ended")
        self._clients.ended(self._journal.synced)
        if self._compiled and self._known is None and self._compilation is not None:
            self._compilation.keep()
        self._reap()
        self._journal.close()
        self._run.clear()
        self._lock.release()

    def _note_hot_line(self, evidence: Evidence) -> None:
        said, step, plan = self._engine.error.text(), evidence.place.step, self._folder.plan
        with suppress(ValueError, OSError):  # the plan is damaged: the end is told without it
            if found := hot.hot_line(said, plan, step, self._clean, self._sample.lines):
                evidence.notes["hot"] = found

    def _clean(self, text: str) -> str:
        known = self._recorder.scrubber or Scrubber(self._request.credentials.values())
        return known.clean(text)

    def _processes(self) -> set[Process]:
        """All that may still run."""
        step = self._steps.current if self._steps is not None else None
        found = {self._compiler, self._run.engine, self._engine}
        return found if step is None else found | {step}

    def _spent_ms(self) -> int:
        """Processor time of the processes that are not the compiler nor the last engine."""
        if self._steps is None:
            return 0
        others = self._processes() - {self._compiler, self._engine}
        return self._steps.cpu_ms + sum(process.cpu_ms() for process in others)

    def _reap(self) -> None:
        """Wait until nothing runs any more, and take its last words."""
        self._group.kill()
        for process in self._processes():
            if process.pid and process.end is None:
                process.reap()
                self._guard(process.drain)
        # What lost its parent before the group could be told of it has become a child of ours.
        own = [pid for pid in processes.children(os.getpid()) if pid not in self._spare]
        processes.kill_family(own)
        for pid in own:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
