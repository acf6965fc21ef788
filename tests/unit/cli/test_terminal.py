"""Every command shows foreign text through one door, which makes it safe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import holdfast.cli
from holdfast.cli.journal import journal_group
from holdfast.cli.postmortem import postmortem_command
from holdfast.cli.requests import requests_command
from holdfast.cli.runlog import show
from holdfast.journal import Journal, RunFolder
from holdfast.model.record import Kind

CLI = Path(holdfast.cli.__file__).parent
#: What writes past the door: colours of our own words, raw code of the user's own file.
OWN = {
    "terminal.py": "click.secho",
    "doctor.py": "click.echo",
    "status.py": "click.echo(_CLEAR",
    "collections.py": 'click.echo(f"\\r{count} items"',  # a number over the one before it
}
ATTACK = "\x1b]0;x\x07\x9b2J\u202e"
CONTROLS = set("\x1b\x07\x9b\u202e")


def test_commands_write_through_one_door() -> None:
    for path in CLI.rglob("*.py"):
        for line in path.read_text().splitlines():
            if re.search(r"click\.s?echo\(|\bprint\(|sys\.std(out|err)\.write", line):
                assert path.name in OWN, f"{path.name}: {line}"
                assert OWN[path.name] in line, f"{path.name}: {line}"


def test_a_log_line_of_a_run_is_shown_safely(capsys: pytest.CaptureFixture[str]) -> None:
    show({"source": ATTACK, "level": "info", "message": [ATTACK, {ATTACK: [ATTACK]}]})
    assert not CONTROLS & set(capsys.readouterr().err)


def test_a_request_that_a_run_has_told_of_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "journals").mkdir()
    folder = RunFolder.create(tmp_path / "journals", "r")
    with Journal.create(folder.journal) as journal:
        told = '{"timestamp":"1","what":"made","number":1,"method":"GET","path":"/","host":"'
        journal.append(Kind.REQUEST, f'{told}a\\n   2  b GET evil/  answered 200"}}'.encode())
        journal.flush()
    result = CliRunner().invoke(requests_command, ["r", "--data", str(tmp_path)])
    assert "evil" in result.output
    assert len(result.output.splitlines()) == 2, "the request, and the count"


@pytest.mark.parametrize(
    "command",
    [["ls"], ["show", "r", "--full"], ["export", "r"], ["verify"], ["ls", "--json"], ["r"]],
)
def test_journals_are_shown_safely(tmp_path: Path, command: list[str]) -> None:
    data = tmp_path / "data"
    (data / "journals").mkdir(parents=True)
    folder = RunFolder.create(data / "journals", "r")
    with Journal.create(folder.journal) as journal:
        text = f'"{ATTACK}"'.replace("\x1b", "\\u001b").replace("\x07", "\\u0007")
        log = f'{{"source":{text},"level":"info","message":[{text}],"timestamp":{text}}}'
        end = f'{{"reason":{text},"error_type":{text},"error_message":{text},"evidence":{{}}}}'
        journal.append(Kind.LOG, log.encode())
        journal.append(Kind.PHASE, f'{{"phase":"step","name":{text}}}'.encode())
        journal.append(Kind.OUTCOME, end.encode())
        journal.flush()
    group = postmortem_command if command == ["r"] else journal_group
    result = CliRunner().invoke(group, [*command, "--data", str(data)])
    assert result.output
    assert not CONTROLS & set(result.output)
