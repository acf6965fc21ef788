"""`python -m tests.conformance.options CHECKOUT`: asks the reference's parser, and compares.

CHECKOUT is a checkout of OpenFn/kit whose `packages/ws-worker` has its dependencies. With
`--record` the answers replace `cases.json`. The file holds what that parser answers, none of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from conformance.options.comparing import RECORDED, difference
from conformance.options.matrix import Case, cases
from holdfast.engine.config import node_binary

_WRAPPED = 60


def ask(checkout: Path) -> list[Case]:
    """Every case with the reference's `result`: the value of its key, or an `error`."""
    asked = cases()
    command = (node_binary(), Path(__file__).with_name("ask.mjs"), checkout)
    wanted = json.dumps(asked)
    done = subprocess.run(command, input=wanted, capture_output=True, text=True, check=True)
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    for case, answer in zip(asked, answers, strict=True):
        if "error" in answer:
            case["error"] = answer["error"]
        elif case["key"] == "_":
            case["result"] = [answer["_"], answer["port"], answer["batchLogs"]]
        else:
            case["result"] = answer.get(case["key"], "undefined")
    return asked


def main(arguments: list[str]) -> int:
    """Returns the exit code: 1 when ours differs in a way that no rule explains."""
    paths = [item for item in arguments if not item.startswith("--")]
    found = ask(Path(paths[0]).resolve())
    if "--record" in arguments:
        lines = ",\n".join(json.dumps(case) for case in found)
        RECORDED.write_text(f"[\n{lines}\n]\n")
    wrong = [f"{case} {text}" for case in found if (text := difference(case)) is not None]
    sys.stdout.write("".join(f"FAILED {text}\n" for text in wrong))
    sys.stdout.write(f"{len(found) - len(wrong)} passed, {len(wrong)} failed\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
