"""Every example that a help text or a page of the docs shows, as somebody would type it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from holdfast.cli.main import cli
from support.command import ROOT

#: Stands for the address of any platform of others.
PLATFORM = "wss://lightning.example.org/worker"
#: Pages without examples for users: the contract, and reports of how something was found.
_OTHER_PAGES = ("docs/spec/", "docs/research/", "docs/decisions/")
_BLOCK = re.compile(r"^( *)```(?:\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
#: How a line begins that can be typed.
_TYPED = re.compile(
    r"(?:[A-Z_]+=\S+ |sudo -u \S+ )*"
    r"(?:(?:\S*/)?holdfast|make|curl|echo|python3?|pip|(?:\S*/)(?:pip|python3?)|git|systemctl)\s"
)
#: What a help text says behind an example.
_SAID = re.compile(r"(?:\s{2,}|\s+# ).*$")


@dataclass(frozen=True, slots=True)
class Example:
    """A line to be typed, and the places that show it."""

    line: str
    places: tuple[str, ...]

    def __str__(self) -> str:
        return self.line


def examples() -> list[Example]:
    """All of them, each once, in the order in which they are met."""
    found: dict[str, list[str]] = {}
    for place, text in (*_helps(cli, "holdfast"), *_blocks()):
        for line in text.splitlines():
            if _TYPED.match(line.strip()):
                found.setdefault(_plain(_SAID.sub("", line.strip())), []).append(place)
    return [Example(line, tuple(places)) for line, places in found.items()]


def _plain(line: str) -> str:
    """The line without what differs from page to page and means the same."""
    line = re.sub(r"(^|\s)[./\w-]*/holdfast\s", r"\1holdfast ", line)
    line = re.sub(r"--port \d+", "--port 0", line).replace("/var/lib/holdfast", "./data")
    return re.sub(r"wss://\S+/worker", PLATFORM, line)


def _helps(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    yield f"{name} --help", f"{command.help or ''}\n{command.epilog or ''}"
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for inner in command.list_commands(context):
                found = command.get_command(context, inner)
                assert found is not None
                yield from _helps(found, f"{name} {inner}")


def _blocks() -> Iterator[tuple[str, str]]:
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        place = path.relative_to(ROOT).as_posix()
        if not place.startswith(_OTHER_PAGES):
            for block in _BLOCK.findall(Path(path).read_text()):
                if "─" not in block[1]:  # no picture
                    yield place, block[1]
