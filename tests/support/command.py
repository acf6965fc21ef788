"""Real `holdfast` commands as child processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.waiting import eventually

HOLDFAST = [sys.executable, "-W", "error", "-m", "holdfast.cli.main"]
ROOT = Path(__file__).resolve().parents[2]


def run(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: str = "", seconds: float = 90
) -> subprocess.CompletedProcess[str]:
    """Run `holdfast …` to its end."""
    return subprocess.run(
        [*HOLDFAST, *arguments],
        env={**os.environ, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


class Command:
    """A `holdfast …` that stays up, with everything it printed."""

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
        program: Sequence[str] = HOLDFAST,
        stdin: int = subprocess.DEVNULL,
    ) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [*program, *arguments],
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            self.lines.extend(line.rstrip("\n") for line in stream)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for_line(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """The first line that matches, whole or in part."""

        def find() -> re.Match[str] | None:
            for line in list(self.lines):
                if match := re.search(pattern, line):
                    return match
            if self.process.poll() is not None:
                self._reader.join(5)
                message = f"ended with {self.process.returncode}:\n{self.output}"
                raise AssertionError(message)
            return None

        return eventually(find, f"a line like {pattern!r} in:\n{self.output}", seconds)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 40) -> int:
        """Send a signal and wait for the end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code

    def kill(self) -> None:
        """End it and its children by force, whatever state a test left it in."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        self._reader.join(5)
