"""`holdfast`: finds the command, and turns every explained error into words and an exit code."""

from __future__ import annotations

import difflib
import gc
import importlib
import sys

import click

from holdfast import __version__
from holdfast.cli import terminal
from holdfast.model.errors import HoldfastError

#: name -> (module, object, one line for the overview). Commands load only when called: `run`
#: should not pay for the platform's imports.
COMMANDS = {
    "up": ("up", "up_command", "Platform and worker together: the whole product."),
    "platform": ("platform", "platform_command", "The embedded platform alone."),
    "worker": ("worker", "worker_command", "A worker for any Lightning-compatible platform."),
    "open": ("open", "open_command", "Open the web page of a running platform, logged in."),
    "users": ("users", "users_group", "Who may log in to a platform."),
    "deploy": ("deploy", "deploy_command", "Send a project file to a running platform."),
    "pull": ("pull", "pull_command", "Write a platform's project as files."),
    "diff": ("diff", "diff_command", "What deploying a project would change."),
    "runs": ("runs", "runs_group", "Runs of a platform: list, show, follow, retry, cancel."),
    "workorders": ("runs", "workorders_command", "Work orders of a platform."),
    "pause": ("control", "pause_command", "Give no runs of a workflow to workers."),
    "resume": ("control", "resume_command", "End the pause of a workflow or of the queue."),
    "schedule": ("control", "schedule_command", "When cron triggers of a project are due next."),
    "collections": (
        "collections",
        "collections_group",
        "Collections of a platform, and their items.",
    ),
    "retention": (
        "retention",
        "retention_group",
        "How long a project keeps documents, logs and runs.",
    ),
    "alerts": ("alerts", "alerts_group", "Whom a project tells when something goes wrong."),
    "init": ("init", "init_command", "Begin a project that runs and has a test."),
    "editor": ("editor", "editor_command", "Let editors complete and check a project's files."),
    "check": ("check_project", "check_command", "Look for mistakes in a project before it runs."),
    "run": ("run", "run_command", "Execute a job or a workflow here and now."),
    "compile": ("compile", "compile_command", "Show the module a job compiles to, or its report."),
    "adaptors": ("adaptors", "adaptors_group", "Install, list, bundle and load adaptors."),
    "journal": ("journal", "journal_group", "Look into the durable records of runs."),
    "test": ("testing", "test_command", "Run the test cases of a project."),
    "pull-run": ("pullrun", "pull_run_command", "Write a recorded run as one file."),
    "replay": ("replay", "replay_command", "Run a recorded run again, offline."),
    "repl": ("repl", "repl_command", "Try operations on a state, one after the other."),
    "requests": ("requests", "requests_command", "What a run asked of other systems."),
    "problems": ("problems", "problems_command", "Failures with the same cause, one line each."),
    "explain": ("explain", "explain_command", "What a code such as HF1101 means."),
    "postmortem": ("postmortem", "postmortem_command", "Why a run did not succeed."),
    "status": ("status", "status_command", "What a worker is doing now."),
    "doctor": ("doctor", "doctor_command", "What this machine offers, and what is missing."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            ctx.fail(_unknown(cmd_name))
        module, name, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(f"holdfast.cli.{module}"), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
    words = f"Did you mean `holdfast {near[0]}`?" if near else "`holdfast --help` lists them."
    return f"There is no command {name!r}. {words}"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="holdfast")
def cli() -> None:
    """The run worker and platform for workflow automation that never loses a run.

    \b
    holdfast up                          the whole product on this machine
    holdfast open                        its web page, logged in
    holdfast deploy project.yaml         bring a project to it
    holdfast run job.js -a common        try one job, no server needed
    holdfast worker                      run steps for an OpenFn Lightning
    """


def _load(arguments: list[str]) -> None:
    """Import the module of the command, if one is named.

    What modules make stays. To look through it for garbage, again and again, takes an eighth of a
    start, and would hold up the platform later.
    """
    name = next((text for text in arguments if not text.startswith("-")), "")
    if name not in COMMANDS:
        return
    gc.disable()
    try:
        importlib.import_module(f"holdfast.cli.{COMMANDS[name][0]}")
        gc.freeze()
    finally:
        gc.enable()


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit codes: 0 success, 1 a job failed, 2 bad usage, 3 killed or crashed."""
    try:
        _load(sys.argv[1:] if arguments is None else arguments)
        code = cli.main(arguments, prog_name="holdfast", standalone_mode=False)
    except HoldfastError as error:
        terminal.echo(f"error: {error.message}", err=True, fg="red")
        if error.fix:
            terminal.echo(f"  {error.fix}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        terminal.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
