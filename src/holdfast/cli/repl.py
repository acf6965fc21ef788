"""`holdfast repl`: operations on a state, one after the other, each in the sandbox."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import cast

import click

from holdfast.bench.bundle_file import read_bundle
from holdfast.bench.changes import changes_of
from holdfast.bench.replaying import state_before
from holdfast.cli import terminal
from holdfast.cli.follower import Follower
from holdfast.cli.given import parse_input
from holdfast.cli.kinds import Place, Seconds
from holdfast.cli.planfile import step_plan
from holdfast.cli.projectplan import read_credentials
from holdfast.cli.replaycode import step_named
from holdfast.cli.repllines import (
    HELP,
    LOOKED,
    Line,
    Session,
    code_of,
    is_unfinished,
    judged,
    read,
)
from holdfast.cli.run import Order, execute
from holdfast.cli.stage import Standby, stage
from holdfast.engine.run.syntax import verdicts
from holdfast.model.errors import UsageError
from holdfast.model.json import JsonObject, parse_document
from holdfast.model.limits import Limits
from holdfast.sandbox import folders

_PROMPT, _MORE = "> ", "… "
#: Lines of differences that are shown after an operation, and of a state.
_LINES, _STATE_LINES = 20, 60


@click.command("repl")
@click.argument("recorded", type=Place(exists=True, dir_okay=False), required=False)
@click.option("--step", help="Begin before this step of RECORDED.")
@click.option("-a", "--adaptor", multiple=True, help="Adaptor, such as http@7.2.10.")
@click.option("-i", "--input", "state", help="State: JSON, or @FILE.")
@click.option(
    "--credentials",
    type=Place(),
    help="YAML file: one credential key, and a map with its secret values.",
)
@click.option(
    "--egress",
    type=click.Choice(["open", "lan", "public", "none"]),
    default="open",
    show_default=True,
    help="What an operation may reach.",
)
@click.option("--timeout", type=Seconds(), default=300, show_default=True, help="Per operation.")
@click.option("--memory", type=int, default=500, show_default=True, help="Mebibytes.")
def repl_command(
    *,
    recorded: Path | None,
    step: str | None,
    adaptor: tuple[str, ...],
    state: str | None,
    credentials: Path | None,
    egress: str,
    timeout: float,
    memory: int,
) -> int:
    """Try operations on a state, one after the other.

    Begins with an empty state, with --input, or before a step of a RECORDED run. Each operation
    runs in the sandbox and shows what it changed; its requests are made for real. `.help` at the
    prompt shows more. Lines from standard input work, too.

    \b
    holdfast repl -a http -i '{"data": {"id": 1}}'
    holdfast repl run.json --step Only
    echo 'state.data.id' | holdfast repl -i '{"data": {"id": 1}}'
    """
    session, adaptors = _beginning(recorded, step, adaptor, state)
    order = Order(Limits(memory_mb=memory, timeout_seconds=timeout), egress, False, "job", False)
    secret = _secret(credentials)
    secrets: JsonObject = {"job-1": secret} if secret else {}
    with _sigterm() as told_to_end, asyncio.Runner() as runner:
        stack = AsyncExitStack()
        standby = Standby(memory, egress)
        here = runner.run(stack.enter_async_context(stage(standby=standby, apart=True)))

        def evaluate(code: str) -> Follower:
            plan = step_plan("repl", code, adaptors)
            return runner.run(execute(plan, secrets, session.state, order, here))

        try:
            prompt = Prompt(session, evaluate, told_to_end)
            prompt.talk(", ".join(adaptors))
        finally:
            runner.run(stack.aclose())
    return prompt.failed


def _beginning(
    recorded: Path | None, step: str | None, adaptors: tuple[str, ...], state: str | None
) -> tuple[Session, tuple[str, ...]]:
    """The first state, and the adaptors. Raises UsageError."""
    if recorded is None:
        if step is not None:
            message = "--step goes with a recorded run"
            raise UsageError(message, fix="Name its file: holdfast repl run.json --step Only")
        return Session(parse_input(state or "{}")), adaptors or ("common",)
    bundle = read_bundle(recorded)
    place = 0 if step is None else step_named(bundle, step)
    if not bundle.steps:
        message = f"{recorded}: no step of this run was recorded"
        raise UsageError(message)
    used = bundle.code[bundle.steps[place].id].get("adaptors") or []
    named = tuple(str(name) for name in used) if isinstance(used, list) else ()
    before = parse_input(state) if state else state_before(bundle, place) or {}
    return Session(before), adaptors or named or ("common",)


def _secret(path: Path | None) -> JsonObject:
    known = read_credentials(path)
    if len(known) > 1:
        message = f"{path}: has {len(known)} credentials, and one is needed"
        raise UsageError(message, fix="Write a file with the one that the operations shall use.")
    return next(iter(known.values()), {})


@contextmanager
def _sigterm() -> Iterator[Callable[[], bool]]:
    """SIGTERM interrupts as Ctrl-C does: no run stays behind. Gives whether it has come."""
    came = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal came
        came = True
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield lambda: came
    finally:
        signal.signal(signal.SIGTERM, before)


class Prompt:
    """Reads lines until the end, and does what they say. `evaluate` runs a job on the state.

    `told_to_end`: whether an interruption ends all, not only what runs. `failed` is 1 once
    something went wrong: the exit code for scripts.
    """

    def __init__(
        self,
        session: Session,
        evaluate: Callable[[str], Follower],
        told_to_end: Callable[[], bool],
    ) -> None:
        self._session, self._evaluate, self._told_to_end = session, evaluate, told_to_end
        self._person = sys.stdin.isatty()
        self.failed = 0

    def talk(self, adaptors: str) -> None:
        """Until `.exit` or the end of the input."""
        if self._person:
            with suppress(ImportError):
                import readline  # noqa: F401, PLC0415 - lines can be edited and come again
            terminal.echo(f"{adaptors}; .help shows what can be typed", dim=True)
        typed = ""
        while True:
            try:
                entered = self._line(_MORE if typed else _PROMPT)
                typed += entered
            except EOFError:
                self._do(read(typed))
                return
            except KeyboardInterrupt:  # as a shell does: the line is dropped
                self._check_end()
                typed = ""
                terminal.echo("")
                continue
            line = read(typed)
            if entered and _goes_on(line):
                typed += "\n"
                continue
            typed = ""
            if line.what == "exit":
                return
            self._do(line)

    def _line(self, prompt: str) -> str:
        return input(prompt if self._person else "")

    def _do(self, line: Line) -> None:
        try:
            if line.what in ("job", "look"):
                self._run(line)
            elif line.what != "nothing":
                self._tell(line)
        except UsageError as error:
            terminal.echo(f"error: {error.message}", err=True, fg="red")
            self.failed = 1
        except KeyboardInterrupt:
            self._check_end()
            terminal.echo("cancelled; the state is as before", err=True)

    def _check_end(self) -> None:
        if self._told_to_end():
            sys.exit(128 + signal.SIGTERM)

    def _run(self, line: Line) -> None:
        follower = self._evaluate(code_of(line))
        folders.remove(follower.folder.path)
        assert follower.outcome is not None, "it has been followed to its end"
        if follower.outcome.error_type is not None or follower.final_state is None:
            follower.tell_end()
            self.failed = 1
            return
        try:
            now = cast("JsonObject", parse_document(follower.final_state))
        except ValueError as error:
            message = f"the new state cannot be shown ({error}); it is as before"
            raise UsageError(message) from None
        if line.what == "look":
            _show(now.get(LOOKED, "undefined"), whole=LOOKED in now)
            return
        before = json.dumps(self._session.state)
        self._session.take(line.text, now)
        changes = changes_of(before, json.dumps(now))
        _cut(changes or ["the same state"], _LINES)

    def _tell(self, line: Line) -> None:
        """Do what a line with a dot says. Raises UsageError."""
        if line.what == "help":
            terminal.echo(HELP)
        elif line.what == "state":
            try:
                _show(self._session.at(line.text))
            except LookupError as error:
                message = f"there is no {error.args[0]} in the state"
                raise UsageError(message) from None
        elif line.what == "undo":
            terminal.echo("undone" if self._session.undo() else "there is nothing to undo")
        elif line.what == "code":
            terminal.echo(self._session.code)
        elif line.what == "save" and line.text:
            _save(Path(line.text), self._session.state)
        else:
            wrong = "name a file: .save FILE" if line.what == "save" else f"no .{line.what}"
            message = f"{wrong}; .help shows what can be typed"
            raise UsageError(message)


def _goes_on(line: Line) -> bool:
    """Whether the code is not complete; after an empty line it is taken as it is."""
    if line.what not in ("job", "look"):
        return False
    (verdict,) = verdicts([judged(line)])
    if verdict is None:
        return False
    return is_unfinished(line, str(verdict["message"]), int(verdict["line"] or 0))


def _save(path: Path, state: JsonObject) -> None:
    try:
        path.write_text(json.dumps(state, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise UsageError(message) from None
    terminal.echo(f"wrote {path}")


def _show(value: object, *, whole: bool = True) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False) if whole else str(value)
    _cut(text.split("\n"), _STATE_LINES)


def _cut(lines: list[str], most: int) -> None:
    for line in lines[:most]:
        terminal.echo(line)
    if len(lines) > most:
        terminal.echo(f"… {len(lines) - most} more")
