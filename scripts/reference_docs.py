"""Write `docs/reference/` from the code: tables that cannot grow old.

    python scripts/reference_docs.py            writes the pages
    python scripts/reference_docs.py --check    says which pages are not what the code says

`tests/unit/test_reference_docs.py` runs the check.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from holdfast.diagnosis.catalogue import CATALOGUE, opened
from holdfast.diagnosis.entry import TURNS
from holdfast.log_events import EVENTS
from holdfast.platform.figures import described
from holdfast.platform.project import form_v1, form_v2
from holdfast.platform.settings import VARIABLES
from holdfast.worker.options import OPTIONS

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
_NOTE = (
    "<!-- Written by scripts/reference_docs.py from the code. Change the code, not this page. -->"
)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """The lines of a Markdown table."""
    titles = list(head)
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    return lines + [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _codes(words: Iterable[str]) -> str:
    return " ".join(f"`{word}`" for word in words)


def page(title: str, *parts: str | list[str]) -> str:
    """A whole page: a title, and paragraphs or tables."""
    texts = ["\n".join(part) if isinstance(part, list) else part for part in parts]
    return "\n\n".join([f"# {title}", _NOTE, *texts]) + "\n"


def log_events() -> str:
    rows = (
        (f"`{event.name}`", event.level, event.process, _codes(event.keys), event.meaning)
        for event in sorted(EVENTS, key=lambda event: (event.process, event.name))
    )
    return page(
        "Log events",
        "Every process writes one line per event: time, level, event, `key=value`. `run` is the "
        "run's id. `why` is a text, `reason` one of a few fixed words.",
        table(("event", "level", "process", "keys", "meaning"), rows),
    )


def worker_options() -> str:
    rows = (
        (_codes(option.names), f"`{option.variable}`", option.default or "–", _meaning(option.help,
            option.inert))
        for option in OPTIONS
    )  # fmt: skip
    return page(
        "Options of the worker",
        "A flag wins over its variable. Names and defaults are those of OpenFn's worker where it "
        "has the option. [Compatibility](../compatibility.md) says where values are read "
        "differently.",
        table(("flags", "variable", "default", "meaning"), rows),
    )


def _meaning(text: str, inert: str | None) -> str:
    return text if inert is None else f"Accepted, without effect: {inert}"


def platform_variables() -> str:
    rows = ((f"`{variable}`", f"`{field}`", meaning) for field, (variable, _, meaning) in
            VARIABLES.items())  # fmt: skip
    return page(
        "Variables of the platform",
        "`holdfast platform` and `holdfast up` read them. An option of the command line wins.",
        table(("variable", "setting", "meaning"), rows),
    )


def project_file() -> str:
    first = (
        ("the file", form_v1.PROJECT), ("a workflow", form_v1.WORKFLOW), ("a job", form_v1.JOB),
        ("a trigger", form_v1.TRIGGER), ("an edge", form_v1.EDGE),
    )  # fmt: skip
    second = (
        ("the file", form_v2.PROJECT), ("a workflow", form_v2.WORKFLOW), ("a step", form_v2.STEP),
        ("a trigger (a step with `type`)", form_v2.TRIGGER), ("a target in `next`", form_v2.NEXT),
    )  # fmt: skip
    return page(
        "The project file",
        "What the keys do: [Author's guide](../author.md). A key that is not listed is refused "
        "with its line.",
        "## First form: maps keyed by name",
        table(("part", "keys"), ((part, _codes(keys)) for part, keys in first)),
        "## Second form: lists of steps (`schema_version: '4.0'`)",
        table(("part", "keys"), ((part, _codes(keys)) for part, keys in second)),
    )


def platform_metrics() -> str:
    rows = (
        (f"`{item.name}{'_total' if item.kind == 'counter' else ''}`", item.kind,
         _codes(item.labels), item.help)
        for item in sorted(described())
    )  # fmt: skip
    return page(
        "Metrics of the platform",
        "`GET /metrics`, with a token of an administrator that has the scope `read`. Counters and "
        "histograms count what this process did: add processes up. Gauges tell what the database "
        "says, the same in every process, but for `does_chores` and `writes_waiting`.",
        table(("name", "kind", "labels", "meaning"), rows),
    )


_DEPENDS = "it depends on what was found; the message says it."


def causes() -> str:
    parts: list[str | list[str]] = []
    for entry in sorted(CATALOGUE.values(), key=lambda entry: entry.code):
        parts += [
            f"## {entry.code}: {entry.title}",
            opened(entry.what),
            f"**What to change:** {told if (told := opened(entry.change)) != '…' else _DEPENDS}",
            f"Whose turn it is: {TURNS[entry.turn]}.",
            ["```text", *entry.example.splitlines(), "```"],
        ]
    return page(
        "Causes of failures",
        "Each way in which a step or a run can end, by its code. `holdfast explain HF1101` shows "
        "the same. `…` stands for what a run fills in. Typical mistakes, with the words of the "
        "reference beside ours: [Mistakes](../mistakes.md).",
        *parts,
    )


PAGES = {
    "causes": causes,
    "platform-metrics": platform_metrics,
    "log-events": log_events,
    "worker-options": worker_options,
    "platform-variables": platform_variables,
    "project-file": project_file,
}


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.md"


def main(arguments: list[str]) -> int:
    wrong = [
        name
        for name, make in PAGES.items()
        if not (path := path_of(name)).exists() or path.read_text() != make()
    ]
    if "--check" in arguments:
        for name in wrong:
            print(f"docs/reference/{name}.md is not what the code says", file=sys.stderr)
        return 1 if wrong else 0
    FOLDER.mkdir(exist_ok=True)
    for name in wrong:
        path_of(name).write_text(PAGES[name]())
        print(f"wrote docs/reference/{name}.md")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
