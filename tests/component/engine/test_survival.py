"""What lives on when something dies, and who tells the end."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from holdfast.engine.client import Engine, EngineError, RunHandle, RunRequest, read_outcome
from holdfast.engine.supervisor.lost_runs import end_lost_run
from holdfast.journal import Journal, RunFolder
from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from holdfast.sandbox import processes
from support.engine import LIMITS, Ended, Running, engine, execute, next_record, prepare, read, run
from support.waiting import eventually, finish

BUSY = "export default [state => { while (true); }];"
SLOW = (
    "export default [async state => {"
    " await new Promise(done => setTimeout(done, 1500)); return state; }];"
)


#: A supervisor that may start no process while there is a file `full`.
CROWDED = """
import os, sys
from holdfast.engine.supervisor import supervisor
from holdfast.engine.config import EngineConfig

config, real = EngineConfig.from_json(sys.argv[2]), os.fork

def fork():
    if (config.data / "full").exists():
        (config.data / "refused").touch()
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return real()

os.fork = fork
sys.exit(supervisor.main(config))
"""


def pids_of(launched: dict[str, object]) -> list[int]:
    pids = launched["pids"]
    assert isinstance(pids, dict)
    return [int(pid) for pid in pids.values()]


def test_a_dead_shim_takes_its_run_along_and_is_reported(tmp_path: Path) -> None:
    seen: list[int] = []

    async def kill_shim(handle: RunHandle) -> None:
        await next_record(handle, Kind.STEP_START)
        launched = await next_record(handle, Kind.LAUNCHED)
        seen.extend(pids_of(launched))  # type: ignore[arg-type]
        os.kill(int(str(launched["shim"])), signal.SIGKILL)

    with engine(tmp_path) as running:
        ended = execute(running, prepare(running, BUSY), kill_shim)
        assert ended.outcome.reason is Reason.EXCEPTION
        assert ended.outcome.error_type == "ShimLost"
        assert ended.bodies(Kind.STEP_COMPLETE)[0]["error_type"] == "ShimLost"
        alive = [pid for pid in seen if Path(f"/proc/{pid}").exists()]
        eventually(lambda: not [p for p in alive if Path(f"/proc/{p}").exists()], "no orphan")
        launched = ended.bodies(Kind.LAUNCHED)[0]
        assert not Path(str(launched["scratch"])).exists()


def test_a_supervisor_without_descriptors_waits_for_some(tmp_path: Path) -> None:
    with engine(tmp_path) as running:
        usual = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (3, usual[1]))
        with socket.socket(socket.AF_UNIX) as waiting:
            waiting.connect(str(running.config.socket))
            before = processes.cpu_ms(running.pid)
            time.sleep(1.5)  # a rate: one that looked again and again would use all of it
            assert processes.cpu_ms(running.pid) - before < 500
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, usual)
        assert run(running, "export default [s => s]").outcome.error_type is None


def test_a_machine_that_is_full_for_a_while_ends_no_supervisor(tmp_path: Path) -> None:
    full, refused = tmp_path / "full", tmp_path / "refused"

    async def kill_shim(handle: RunHandle) -> None:
        launched = await next_record(handle, Kind.LAUNCHED)
        await next_record(handle, Kind.STEP_START)
        full.touch()
        os.kill(int(str(launched["shim"])), signal.SIGKILL)
        eventually(refused.exists, "nothing can end it now")
        full.unlink()

    with engine(tmp_path, program=("-c", CROWDED)) as running:
        full.touch()
        with pytest.raises(EngineError):
            execute(running, prepare(running, BUSY))
        full.unlink()
        refused.unlink()
        assert execute(running, prepare(running, BUSY), kill_shim).outcome.error_type == "ShimLost"
        assert running.process.poll() is None


def test_a_run_outlives_its_supervisor(tmp_path: Path) -> None:
    async def kill_supervisor(handle: RunHandle) -> None:
        await next_record(handle, Kind.STEP_START)
        running.process.kill()
        running.process.wait()

    with engine(tmp_path) as running:
        ended = execute(running, prepare(running, SLOW), kill_supervisor)
    assert ended.outcome.reason is Reason.SUCCESS


def test_a_new_supervisor_ends_runs_whose_shim_died_meanwhile(tmp_path: Path) -> None:
    async def kill_all(handle: RunHandle) -> None:
        await next_record(handle, Kind.STEP_START)
        running.process.kill()
        running.process.wait()
        launched = await next_record(handle, Kind.LAUNCHED)
        os.kill(int(str(launched["shim"])), signal.SIGKILL)

    async def launch_and_kill(running: Running, request: RunRequest) -> None:
        handle = await Engine(running.config.socket).launch(request)
        await kill_all(handle)
        await handle.close()

    with engine(tmp_path) as running:
        request = prepare(running, BUSY)
        finish(launch_and_kill(running, request))
        assert read_outcome(request.directory) is None
    with engine(tmp_path):
        outcome = eventually(lambda: read_outcome(request.directory), "an outcome")
    assert outcome.error_type == "ShimLost"


def test_a_shim_of_an_earlier_supervisor_is_watched_by_the_next(tmp_path: Path) -> None:
    async def launch(running: Running, request: RunRequest) -> int:
        handle = await Engine(running.config.socket).launch(request)
        await next_record(handle, Kind.STEP_START)
        running.process.kill()
        running.process.wait()
        await handle.close()
        return int(str((await next_record(handle, Kind.LAUNCHED))["shim"]))

    with engine(tmp_path) as running:
        request = prepare(running, BUSY)
        shim = finish(launch(running, request))
    with engine(tmp_path) as running:
        # Another run, so that the new one has surely looked around.
        assert execute(running, prepare(running, SLOW)).outcome.reason is Reason.SUCCESS
        assert read_outcome(request.directory) is None
        os.kill(shim, signal.SIGKILL)
        outcome = eventually(lambda: read_outcome(request.directory), "an outcome")
    assert outcome.error_type == "ShimLost"


def test_a_run_of_an_earlier_boot_is_told_as_that(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "earlier")
    with Journal.create(folder.journal) as journal:
        launched = {"shim": 1, "boot": "another", "memory_limit_mb": 128, "pids": {}}
        journal.append(Kind.LAUNCHED, json.dumps(launched).encode())
        journal.append(Kind.STEP_START, b'{"step_id":"s","job_id":"a","timestamp":"1"}')
        journal.flush()
    assert end_lost_run(folder.path)
    ended = Ended(folder, read_outcome(folder.path), read(folder.path))  # type: ignore[arg-type]
    assert ended.outcome.error_type == "HostRestarted"
    assert ended.bodies(Kind.STEP_COMPLETE)[0]["step_id"] == "s"
    assert not end_lost_run(folder.path), "an outcome is written once"


def test_what_was_said_before_the_shim_died_counts(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "said")
    with Journal.create(folder.journal) as journal:
        launched = {"shim": 1, "boot": processes.boot_id(), "memory_limit_mb": 128, "pids": {}}
        journal.append(Kind.LAUNCHED, json.dumps(launched).encode())
        journal.append(Kind.RESULT, b'{"reason":"success","timestamp":"1"}')
        journal.flush()
    assert end_lost_run(folder.path)
    outcome = read_outcome(folder.path)
    assert outcome is not None
    assert outcome.reason is Reason.SUCCESS


def test_a_journal_that_never_reached_a_shim_is_left_to_the_agent(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "claimed")
    with Journal.create(folder.journal) as journal:
        journal.append(Kind.CLAIMED, b"{}")
        journal.flush()
    assert not end_lost_run(folder.path)
    assert read_outcome(folder.path) is None


def agent(tmp_path: Path, body: str) -> tuple[str, ...]:
    script = tmp_path / "agent.py"
    script.write_text(f"import os, signal, sys, time\nfrom pathlib import Path\n{body}")
    return (sys.executable, str(script))


def test_a_dead_agent_is_started_again_and_drains_at_the_end(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    body = f"""
with open({str(starts)!r}, "a") as file:
    file.write(os.environ["HOLDFAST_SOCKET"] + chr(10))
def drain(*_):
    Path({str(tmp_path / "drained")!r}).write_text("yes")
    sys.exit(5)
signal.signal(signal.SIGTERM, drain)
if len(Path({str(starts)!r}).read_text().splitlines()) < 3:
    os.kill(os.getpid(), signal.SIGKILL)
Path({str(tmp_path / "up")!r}).write_text("yes")
while True:
    time.sleep(0.05)
"""
    with engine(tmp_path / "data", agent=agent(tmp_path, body)) as running:
        eventually((tmp_path / "up").exists, "a third agent")
        assert starts.read_text().splitlines() == [str(running.config.socket)] * 3
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 5
    assert (tmp_path / "drained").exists()


def test_an_agent_dies_with_its_supervisor(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    body = f"Path({str(pid_file)!r}).write_text(str(os.getpid()))\ntime.sleep(600)"
    with engine(tmp_path / "data", agent=agent(tmp_path, body)) as running:
        written = eventually(lambda: pid_file.read_text() if pid_file.exists() else "", "an agent")
        pid = int(written)
        running.process.kill()
        running.process.wait()
        gone = lambda: processes.start_time(pid) is None  # noqa: E731
        eventually(gone, "the agent is gone")


def test_a_launch_that_is_heard_after_the_run_was_given_up_starts_nothing(tmp_path: Path) -> None:
    with engine(tmp_path) as running:
        request = prepare(running, SLOW)
        outcome = {"timestamp": "1", "reason": "exception", "evidence": {"launched": False}}
        with Journal.open(RunFolder(request.directory).journal) as journal:
            journal.append(Kind.OUTCOME, json.dumps(outcome).encode())
            journal.flush()
        before = read(request.directory)
        with pytest.raises(EngineError, match="no run is executed twice"):
            execute(running, request)
        assert read(request.directory) == before


def test_node_that_cannot_be_started_is_told_as_that(tmp_path: Path) -> None:
    """The compiler's frames come all the same, and nobody takes them."""
    node = tmp_path / "node"
    node.write_bytes(b"no program")
    node.chmod(0o755)
    with engine(tmp_path / "data", node=node, standby=0) as running:
        for _ in range(5):
            ended = run(running, "fn(state => state);")
            assert ended.outcome.error_type == "SetupError"


def test_a_run_is_not_taken_twice(tmp_path: Path) -> None:
    from holdfast.engine.client import EngineError

    async def twice(handle: RunHandle) -> None:
        await next_record(handle, Kind.STEP_START)
        try:
            await Engine(running.config.socket).launch(request)
        except EngineError as error:
            refused.append(error.message)
        await handle.cancel()

    refused: list[str] = []
    with engine(tmp_path) as running:
        request = prepare(running, BUSY, limits=LIMITS)
        ended = execute(running, request, twice)
    assert ended.outcome.reason is Reason.CANCEL
    assert refused
    assert "held by another process" in refused[0]
