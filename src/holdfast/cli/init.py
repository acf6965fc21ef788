"""`holdfast init`: a project that runs at once and has a test."""

from __future__ import annotations

import re
from pathlib import Path

import click

from holdfast.cli import terminal
from holdfast.cli.editor import FOLDER, SCHEMA_LINE, write_editor_files
from holdfast.cli.kinds import Place
from holdfast.model.errors import UsageError

#: The folder of test cases, beside the project file.
CASES = "tests"
#: Name of each file of a new project, and what stands in it.
_FILES = {
    "project.yaml": SCHEMA_LINE
    + """\
name: NAME
workflows:
  greet:
    name: greet
    triggers:
      webhook: {type: webhook}
    jobs:
      map:
        name: map
        adaptor: common@3.3.4
        body: {path: ./jobs/map.js}
    edges:
      webhook->map: {source_trigger: webhook, target_job: map}
""",
    "jobs/map.js": """\
fn(state => {
  const names = state.data.people.map(person => person.name);
  return { ...state, data: { greeting: `Hello ${names.join(' and ')}` } };
});
""",
    f"{CASES}/greet.yaml": """\
workflow: greet
cases:
  two people:
    input: {data: {people: [{name: Ada}, {name: Grace}]}}
    path: [map]
    expect:
      map: {data: {greeting: Hello Ada and Grace}}
""",
    "input.json": '{"data": {"people": [{"name": "Ada"}, {"name": "Grace"}]}}\n',
    ".gitignore": f"secrets.yaml\n{FOLDER}/\n",
}


@click.command("init")
@click.argument("folder", type=Place(file_okay=False), default=".")
def init_command(folder: Path) -> None:
    """Write a small project into FOLDER: it runs, has a test, and can be deployed.

    \b
    holdfast init my-project
    """
    there = [name for name in _FILES if (folder / name).exists()]
    if there:
        message = f"{folder} has {', '.join(there)} already: nothing was written"
        raise UsageError(message, fix="Name another folder: `holdfast init NAME`.")
    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-") or "my-project"
    for file, text in _FILES.items():
        path = folder / file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("NAME", name), encoding="utf-8")
        except OSError as error:
            message = f"{path}: {error.strerror}"
            raise UsageError(message) from None
        terminal.echo(f"wrote {path}")
    try:
        write_editor_files(folder / "project.yaml")
        terminal.echo(f"wrote {folder / 'jsconfig.json'} and {FOLDER}/ for editors")
    except UsageError as error:  # the project is there and works without
        terminal.echo(f"no files for editors: {error.message}", err=True, fg="yellow")
        terminal.echo("  `holdfast editor` writes them later.", err=True)
    terminal.echo("")
    place = "" if folder == Path.cwd() else f"cd {folder}\n"
    terminal.echo(
        f"{place}holdfast check project.yaml\nholdfast run project.yaml --input @input.json\n"
        "holdfast test\nholdfast deploy project.yaml"
    )
