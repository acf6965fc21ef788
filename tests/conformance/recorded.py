"""The recorded cases: what the reference did, file by file. They belong to the project.

A file that is missing, or that has lost cases, is an error. A test that has nothing to check must
not pass.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CASES = Path(__file__).resolve().with_name("cases")
#: The comparator of two modules. It looks at its own path, so this one holds no link.
COMPARATOR = CASES / "compare-asts.mjs"
#: File name -> how many cases it has. Change the number in the commit that changes the file.
COUNTS = {
    "compiler-cases.json": 239,
    "compiler-dts-cases.json": 19,
    "runtime-cases.json": 240,
    "further-cases.json": 48,
}
Case = dict[str, Any]


def cases_in(path: Path) -> list[Case]:
    """The cases of a file: a list, or an object with `cases`. Raises ValueError for others."""
    content = json.loads(path.read_text(encoding="utf-8"))
    cases = content.get("cases") if isinstance(content, dict) else content
    if not isinstance(cases, list) or not cases or not isinstance(cases[0], dict):
        message = f"{path} is no case file: expected a list of cases, or an object with `cases`"
        raise ValueError(message)
    return cases


def recorded(name: str) -> list[Case]:
    """The cases of one of our files. Raises OSError or ValueError when it is not whole."""
    cases = cases_in(CASES / name)
    if len(cases) != COUNTS[name]:
        message = f"{CASES / name} has {len(cases)} cases; it should have {COUNTS[name]}"
        raise ValueError(message)
    return cases
