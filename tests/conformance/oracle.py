"""The rules applied a second time, on acorn's tree (`oracle.mjs`), against the compiler."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from conformance.compiler import NODE, acorn
from conformance.recorded import COMPARATOR

SCRIPT = Path(__file__).with_name("oracle.mjs")


def opinions(items: list[dict[str, Any]]) -> list[str | None]:
    """For each `{source, code, error?, adaptors?, ignore?, disable?}` None, or what is wrong.

    `code` is None where the compiler refused. Texts that acorn refuses get None.
    """
    done = subprocess.run(
        [NODE, "--stack-size=4000", SCRIPT, COMPARATOR],
        input=json.dumps(items).encode(),
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, "ACORN_DIR": str(acorn())},
    )
    found: list[str | None] = json.loads(done.stdout)
    return found
