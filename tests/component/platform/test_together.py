"""`holdfast platform --processes`: several processes on one port."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest

from holdfast.cli.together import _keep, serve_together
from holdfast.platform.access.keys import BadKeyError
from holdfast.platform.serve import FolderInUseError, ListenError, _listen, reserved
from holdfast.platform.settings import Settings
from support.command import Command, run
from support.platform import PROJECT, TRIGGER
from support.postgres import database_of, postgres_only, sqlite_only
from support.waiting import eventually


@sqlite_only
def test_several_processes_on_sqlite_are_refused_with_words(tmp_path: Path) -> None:
    done = run("platform", "--data", str(tmp_path), "--processes", "2")
    assert done.returncode == 2
    assert "--processes needs PostgreSQL" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_port_is_shared_with_our_own_processes_and_with_nobody_else(tmp_path: Path) -> None:
    with reserved(Settings(data=tmp_path, port=0)) as ours:
        heard = Counter[int]()
        with (
            _listen(ours.host, ours.port, shared=True) as one,
            _listen(ours.host, ours.port, shared=True) as two,
        ):
            for _ in range(64):
                socket.create_connection((ours.host, ours.port)).close()
            for number, listener in enumerate((one, two)):
                listener.setblocking(False)
                while (found := _accepted(listener)) is not None:
                    found.close()
                    heard[number] += 1
            with pytest.raises(ListenError):
                _listen(ours.host, ours.port)
        assert heard.total() == 64
        assert len(heard) == 2, "each gets some"
        with pytest.raises(FolderInUseError), reserved(Settings(data=tmp_path, port=0)):
            pass


def test_two_folders_do_not_get_the_same_port(tmp_path: Path) -> None:
    with reserved(Settings(data=tmp_path / "one", port=0)) as ours:
        second = Settings(data=tmp_path / "two", port=ours.port)
        with pytest.raises(ListenError, match=f"port {ours.port} is in use"), reserved(second):
            pass
        with (
            _listen(ours.host, ours.port, shared=True),
            pytest.raises(ListenError, match="in use"),
            reserved(second),
        ):
            pass
    with reserved(second) as free:
        assert free.port == ours.port


def test_bad_key_is_refused_before_there_are_several_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIMARY_ENCRYPTION_KEY", "bad")
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    with pytest.raises(BadKeyError, match="base64 of 32 bytes"):
        serve_together(Settings(tmp_path, port=0, database_url=nowhere, parts=2), verbose=False)


async def test_processes_that_all_refuse_to_start_are_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = tmp_path / "refusing"
    refusing.write_text(f"#!/bin/sh\necho \"$*\" >> '{tmp_path / 'starts'}'; exit 4\n")
    refusing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(refusing))
    keeping = _keep(Settings(data=tmp_path, parts=2), verbose=False)
    assert await asyncio.wait_for(keeping, 20) == 4
    told = (tmp_path / "starts").read_text()
    assert "--part 0 --processes 2" in told, "each knows how many they are"
    assert "--part 1 --processes 2" in told


def _accepted(listener: socket.socket) -> socket.socket | None:
    try:
        return listener.accept()[0]
    except BlockingIOError:
        return None


@postgres_only
def test_processes_serve_one_port_start_again_and_end_together(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = Command(
        *("platform", "--data", str(data), "--port", "0", "--processes", "2"),
        env={"DATABASE_URL": database_of(data)["database_url"]},
    )
    try:
        url = command.wait_for_line(r"^platform +(\S+)")[1]
        token = (data / "admin-token").read_text()
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}) as client:
            two = eventually(lambda: _processes(command, 2), "two processes")
            eventually(lambda: _told(client, "processes") == 2, "two that live")
            project = {**PROJECT, "workflows": [_plain(flow) for flow in PROJECT["workflows"]]}
            assert client.post("/api/provision", json=project).status_code == 201
        for _ in range(12):  # each on a connection of its own
            assert httpx.post(f"{url}/i/{TRIGGER}", json={}).status_code == 200
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}) as client:
            assert client.post("/api/keys/rotate", json={}).status_code == 409
            assert _counted(client) == 12, "whichever is asked tells the sum"
        os.kill(two[1], signal.SIGKILL)
        eventually(lambda: set(_processes(command, 2) or two) - set(two), "a new one")
        assert httpx.post(f"{url}/i/{TRIGGER}", json={}).status_code == 200
        assert command.stop() == 0
        assert not [pid for pid in two if Path(f"/proc/{pid}").exists()]
    finally:
        command.kill()


def _plain(flow: dict[str, object]) -> dict[str, object]:
    """Without adaptors that would be asked for at a registry."""
    jobs = [{k: v for k, v in job.items() if k != "adaptor"} for job in flow["jobs"]]  # type: ignore[attr-defined] # a list of objects
    return {**flow, "jobs": jobs}


def _processes(command: Command, number: int) -> list[int] | None:
    """Ids of the processes that serve, once there are so many."""
    path = Path(f"/proc/{command.process.pid}/task/{command.process.pid}/children")
    found = [int(pid) for pid in path.read_text().split()]
    return found if len(found) == number else None


def _told(client: httpx.Client, name: str) -> float:
    found = re.search(
        rf"^holdfast_platform_{name} (\S+)", client.get("/metrics").text, re.MULTILINE
    )
    return -1 if found is None else float(found[1])


def _counted(client: httpx.Client) -> float:
    text = client.get("/metrics").text
    return float(re.findall(r'runs_total\{state="available"\} (\S+)', text)[0])
