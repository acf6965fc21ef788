"""The supervisor: hands runs to shims, restarts the agent, ends the runs of dead shims.

    python -m holdfast.engine.supervisor --data DIR --socket PATH [--agent ARGV...]

One thread, standard library only, no network, reads nothing that comes from outside: a
connection goes to a shim unread. What takes time (writing the outcome of a lost run) is done in
a child.
"""

from __future__ import annotations

import argparse
import errno
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from holdfast import faults, log
from holdfast.engine.config import EngineConfig, EngineError
from holdfast.engine.host import Host
from holdfast.engine.loop import Loop
from holdfast.engine.run import program
from holdfast.engine.shim import shim
from holdfast.engine.shim.compiled import compiler_digest, prune
from holdfast.engine.shim.walls import NODE_FLAGS, look_around
from holdfast.engine.supervisor import lost_runs
from holdfast.engine.supervisor.keepers import Keepers
from holdfast.engine.supervisor.pool import Pool
from holdfast.engine.zygote import keeper, kinds
from holdfast.engine.zygote.rule import unavailable
from holdfast.sandbox import kernel

#: Seconds before a dead agent is started again: the first, the factor, the most.
_BACKOFF = (0.2, 2.0, 30.0)
#: An agent that lived this long is started again without delay.
_STEADY_SECONDS = 60.0
_BACKLOG = 256
#: Without standby shims: from the end of the first run until the cache is made. The engine
#: of a lone run has ended by then.
_CACHE_SECONDS = 5.0
#: A process that could not be started is tried again after this long.
_AGAIN_SECONDS = 1.0
#: What the kernel sends when the command that owns the engine is gone.
_OWNER_DIED = signal.SIGUSR1
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Supervisor:
    """See the module. `run` returns the exit code."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._loop = Loop()
        self._host = Host.look(config)
        # Held ready for the compiler of every run, which is a fork of a fork of this process.
        importlib.import_module("holdfast.engine.run.compile_process")
        compiler_digest()
        look_around()
        self._host.require(config.require)
        self._listener = listen(config.socket)
        self._pool = Pool(
            self._loop, config.standby, self._fork_shim, self._may_prepare, self._first_ready
        )
        self._keepers = Keepers(self._loop, config, self._fork_keeper, self._settled)
        no_zygotes = unavailable(config, self._host)
        self._zygotes = no_zygotes is None
        self._isolation = {**self._host.told(), "no_zygotes": no_zygotes}
        self._helpers: set[int] = set()
        self._delayed = 0  # helpers that could not be started at once
        self._cache_maker: int | None = None  # helper that makes the program's cache; 0: was here
        self._agent: subprocess.Popen[bytes] | None = None
        self._agent_since = 0.0
        self._tell_ready: int | None = None  # a pipe to an agent that waits for the first process
        self._was_ready = not config.standby
        self._delay = _BACKOFF[0]
        self._stopping = 0
        self._orphaned = False  # the command that owns this engine was killed
        self._code: int | None = None

    def run(self) -> int:
        """Serve until a signal, or until the agent ends of itself after one."""
        signals = _signal_pipe()
        self._loop.read(signals, lambda: self._signalled(signals))
        self._listen()
        kinds.tidy(self._config)
        kinds.expect(self._config)
        self._help(self._tidy)
        self._start_agent()
        if self._config.standby:
            self._make_cache()
        self._make_ready()
        # What is here now is shared with every shim; the collector would touch and so copy it.
        gc.collect()
        gc.freeze()
        while self._code is None:
            self._loop.turn()
        if self._orphaned:
            self._end_runs()
        self._pool.close()
        self._keepers.close()
        self._listener.close()
        self._config.socket.unlink(missing_ok=True)
        return self._code

    def _end_runs(self) -> None:
        """Nobody wants the runs of a command that was killed."""
        for folder in self._pool.kill():
            lost_runs.end_lost_run(Path(folder))
        lost_runs.remove_leftovers(self._config, self._host.groups)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            if error.errno in _NO_ROOM:  # it stays readable: look again when there may be room
                log.error(
                    "supervisor.not_accepting", why=error.strerror, retry_seconds=_AGAIN_SECONDS
                )
                self._loop.read(self._listener.fileno(), None)
                self._loop.after("accept", _AGAIN_SECONDS, self._listen)
            return
        faults.point("supervisor.fork")
        with connection:
            connection.setblocking(True)
            try:
                self._pool.give(connection)
            except OSError as error:  # who asks for the run asks again
                _report("shim", error)
        self._plan()

    def _listen(self) -> None:
        self._loop.read(self._listener.fileno(), self._accept)

    def _tidy(self) -> None:
        """What earlier engines have left; only now, when the socket says that none is alive."""
        program.forget_others(self._config.program)
        prune(self._config)
        lost_runs.end_lost_runs(self._config, self._host.groups)

    def _plan(self) -> None:
        """Make ready for the runs to come, soon: the run that has come goes first."""
        if not self._stopping:
            self._pool.plan()
            if self._zygotes:
                self._keepers.plan()

    def _make_ready(self) -> None:
        """Like `_plan`, and begin at once with the zygote that the first run may need."""
        self._plan()
        if self._zygotes and self._may_prepare():
            self._keepers.look()

    def _may_prepare(self) -> bool:
        return not self._stopping and not self._cache_maker

    def _fork_shim(
        self, channel: socket.socket, told: int, connection: socket.socket | None
    ) -> int:
        """Raises OSError when the system allows no further process."""
        pid = os.fork()
        if pid == 0:
            self._become(lambda: shim.serve(*self._own, channel, told, connection))
        return pid

    def _fork_keeper(self, name: str, channel: socket.socket) -> int:
        """Raises OSError as well."""
        pid = os.fork()
        if pid == 0:
            self._become(lambda: keeper.keep(*self._own, name, channel))
        return pid

    @property
    def _own(self) -> tuple[EngineConfig, Host]:
        return self._config, self._host

    def _make_cache(self) -> None:
        """Once, where there is none; standby shims wait for it."""
        if self._cache_maker is None:
            self._cache_maker = 0
            if not program.cached(self._config.program):
                self._cache_maker = self._help(
                    lambda: program.make_cache(self._config, NODE_FLAGS)
                )

    def _become(self, work: Callable[[], None]) -> NoReturn:
        """In a child: be a shim, or a keeper."""
        code = 70
        try:
            self._forget_parent()
            os.setsid()
            work()
            code = 0
        except BaseException as error:
            log.failure("shim.failed", error, pid=os.getpid())
        finally:
            os._exit(code)

    def _forget_parent(self) -> None:
        """In a child: let go of what is the supervisor's."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):
            # A signal to the whole group must not take the runs along.
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        self._listener.close()
        self._forget_waiting()
        self._pool.close()
        self._keepers.close()

    def _help(self, work: Callable[[], object]) -> int:
        """Do something slow in a child; returns its process id, 0 if there can be none yet."""
        try:
            pid = os.fork()
        except OSError as error:
            _report("helper", error)
            self._delayed += 1
            self._loop.after(f"helper {self._delayed}", _AGAIN_SECONDS, lambda: self._help(work))
            return 0
        if pid:
            self._helpers.add(pid)
            return pid
        code = 70
        try:
            self._forget_parent()
            work()
            code = 0
        except BaseException as error:
            log.failure("supervisor.helper_failed", error, pid=os.getpid())
        finally:
            os._exit(code)

    def _signalled(self, pipe: int) -> None:
        for number in os.read(pipe, 512):
            if number == signal.SIGCHLD:
                self._reap()
            elif number in (signal.SIGTERM, signal.SIGINT, _OWNER_DIED):
                self._orphaned = self._orphaned or number == _OWNER_DIED
                self._stop()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            faults.point("supervisor.reap")
            if self._agent is not None and pid == self._agent.pid:
                self._agent_ended(os.waitstatus_to_exitcode(status))
            elif pid in self._pool:
                self._shim_ended(pid, clean=status == 0)
            elif pid in self._keepers:
                self._keepers.ended(pid)
                self._help(lambda: lost_runs.remove_leftovers(self._config, self._host.groups))
            else:
                self._helpers.discard(pid)
                if pid == self._cache_maker:
                    self._cache_maker = 0
                    self._make_ready()

    def _shim_ended(self, pid: int, *, clean: bool) -> None:
        folder = self._pool.ended(pid)
        if self._cache_maker is None and not self._loop.has("cache"):
            self._loop.after("cache", _CACHE_SECONDS, self._make_cache)
        if not clean:
            self._help(lambda: self._end_lost(folder))

    def _end_lost(self, folder: str) -> None:
        if folder:
            lost_runs.end_lost_run(Path(folder))
        lost_runs.remove_leftovers(self._config, self._host.groups)

    def _start_agent(self) -> None:
        if not self._config.agent:
            return
        self._agent_since = time.monotonic()
        environment = {
            **os.environ,
            "HOLDFAST_SOCKET": str(self._config.socket),
            "HOLDFAST_ISOLATION": json.dumps(self._isolation),
        }
        self._forget_waiting()
        environment.pop("HOLDFAST_READY", None)
        ready: tuple[int, ...] = ()
        try:
            if not self._was_ready:
                told, self._tell_ready = os.pipe()
                ready = (told,)
                environment["HOLDFAST_READY"] = str(told)
            self._agent = subprocess.Popen(
                self._config.agent,
                env=environment,
                pass_fds=ready,
                preexec_fn=_die_with_supervisor,  # noqa: PLW1509 - this process has one thread
            )
        except OSError as error:
            _report("agent", error)
            self._loop.after("agent", _AGAIN_SECONDS, self._start_agent)
        finally:
            for descriptor in ready:
                os.close(descriptor)

    def _first_ready(self) -> None:
        """A process is ready: the agent may claim runs once a zygote that is made is ready too."""
        self._was_ready = True
        self._settled()

    def _settled(self) -> None:
        if not (self._was_ready and self._keepers.settled):
            return
        if self._tell_ready is not None:
            with suppress(BrokenPipeError):  # the agent is gone, or did not wait so long
                os.write(self._tell_ready, b"1")
        self._forget_waiting()

    def _forget_waiting(self) -> None:
        if self._tell_ready is not None:
            os.close(self._tell_ready)
            self._tell_ready = None

    def _agent_ended(self, code: int) -> None:
        if self._agent is not None:
            self._agent.returncode = code  # it was reaped here, not by the module
            self._agent = None
        if self._stopping:
            self._code = code if code >= 0 else 128 - code
            return
        if time.monotonic() - self._agent_since > _STEADY_SECONDS:
            self._delay = _BACKOFF[0]
        log.error("agent.ended", code=code, restart_seconds=self._delay)
        self._loop.after("agent", self._delay, self._start_agent)
        self._delay = min(self._delay * _BACKOFF[1], _BACKOFF[2])

    def _stop(self) -> None:
        """First signal: the agent drains. Second: it is told to hurry. Third: it is killed."""
        self._stopping += 1
        self._loop.at("agent", None)
        if self._agent is None:
            self._code = 0
        elif self._stopping > 2:
            self._agent.kill()
        else:
            self._agent.terminate()


def _report(what: str, error: OSError) -> None:
    """The system is full, which passes: to end now would take the agent, and all runs, along."""
    log.error("process.not_started", process=what, why=error.strerror)


def _die_with_supervisor() -> None:
    """The next supervisor starts an agent of its own; two would fight over the journals."""
    kernel.die_with_parent(signal.SIGKILL)


def listen(path: Path) -> socket.socket:
    """The supervisor's socket, for this user only. Raises EngineError."""
    if len(os.fsencode(path)) > 100:
        message = f"The path of the engine's socket is too long for the kernel: {path}"
        raise EngineError(message, fix="Choose a data folder with a shorter path.")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            other.connect(str(path))
            message = f"Another engine serves {path}."
            raise EngineError(message, fix="End it, or choose another data folder.")
        path.unlink(missing_ok=True)
        with _private_files():
            listener.bind(str(path))
        listener.listen(_BACKLOG)
    except OSError as error:
        message = f"The engine's socket {path} cannot be made: {error.strerror}"
        raise EngineError(message, fix="Choose a data folder that can be written to.") from error
    listener.setblocking(False)
    return listener


@contextmanager
def _private_files() -> Iterator[None]:
    old = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(old)


def _signal_pipe() -> int:
    """A descriptor on which every signal of interest arrives as one byte."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, _OWNER_DIED):
        signal.signal(number, lambda *_: None)
    return reader


def prepare_folders(config: EngineConfig) -> None:
    """Make the folders of a data folder, for this user only. Raises EngineError."""
    try:
        config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (config.journals, config.data / "scratch", kinds.folder(config)):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        message = f"The data folder {config.data} cannot be used: {error.strerror}"
        fix = "Choose one that this user may write to."
        raise EngineError(message, fix=fix) from error


def main(config: EngineConfig) -> int:
    """Run a supervisor until it is told to stop; returns its exit code. Raises EngineError."""
    log.set_up(config.log_level, config.log_format)
    if config.owner:
        kernel.die_with_parent(_OWNER_DIED)
        if os.getppid() != config.owner:  # it died before it could be asked for its end
            return 0
    prepare_folders(config)
    config = replace(config, program=program.install(config))
    return Supervisor(config).run()


def arguments() -> EngineConfig:
    """The configuration of the command line. Exits with 2 where it is wrong."""
    parser = argparse.ArgumentParser(prog="holdfast-supervisor", description=__doc__)
    parser.add_argument("--config", help="everything below as one JSON text")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--socket", type=Path)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--agent", nargs=argparse.REMAINDER, default=[])
    given = parser.parse_args()
    if given.config:
        return EngineConfig.from_json(given.config)
    if given.data is None:
        parser.error("--data is needed")
    path = given.socket or given.data / "engine.sock"
    return EngineConfig(given.data, path, agent=tuple(given.agent), store=given.store)
