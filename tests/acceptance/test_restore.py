"""A backup is made under load and restored while senders wait; the new platform is then killed."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import httpx

from acceptance.test_survival import PROJECT, TRIGGER, Platform
from support.command import run
from support.waiting import eventually


class Sender:
    """Sends one request after another; each again until a platform answers it."""

    def __init__(self, url: str) -> None:
        self.answered: list[int] = []
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        number = 0
        with httpx.Client(timeout=10, trust_env=False) as client:
            while not self._over.is_set():
                try:
                    answer = client.post(self._url, json={"n": number})
                except httpx.HTTPError:
                    self._over.wait(0.02)
                    continue
                if answer.is_success:
                    self.answered.append(number)
                    number += 1

    def more(self, count: int) -> None:
        least = len(self.answered) + count
        eventually(lambda: len(self.answered) >= least, f"{least} answers")

    def end(self) -> None:
        self._over.set()
        self._thread.join()


def command(*arguments: str | Path) -> None:
    done = run("platform", *map(str, arguments))
    assert done.returncode == 0, done.stderr


def stored(data: Path) -> set[int]:
    with sqlite3.connect(data / "platform.db") as file:
        found = file.execute("SELECT json_extract(body, '$.n') FROM dataclip_bodies").fetchall()
    file.close()
    return {number for (number,) in found}


def test_what_was_answered_before_a_backup_and_after_its_restore_is_there(tmp_path: Path) -> None:
    backup, keys = tmp_path / "backup", tmp_path / "keys"
    platform = Platform(tmp_path / "first")
    sender = None
    try:
        with platform.client as client:
            client.post("/api/provision", json=PROJECT).raise_for_status()
        sender = Sender(f"http://127.0.0.1:{platform.port}/i/{TRIGGER}")
        sender.more(20)
        before = list(sender.answered)
        command("backup", backup, "--data", platform.data, "--keys", keys)
        platform.command.kill()
        after = len(sender.answered) + 1  # the last answer may still be on its way
        platform.data = tmp_path / "second"
        command("restore", backup, "--data", platform.data, "--keys", keys)
        platform.start()
        sender.more(20)
        platform.command.kill()
        platform.start()
        sender.more(1)
        sender.end()
        platform.command.stop()
    finally:
        if sender is not None:
            sender.end()
        platform.command.kill()
    answered = {*before, *sender.answered[after:]}
    assert stored(platform.data) >= answered
