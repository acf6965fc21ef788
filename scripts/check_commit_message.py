"""Check a commit message: a short subject, and a body that is set apart.

`check_commit_message.py FILE`, as git gives it to a `commit-msg` hook.
"""

from __future__ import annotations

import sys
from pathlib import Path

LONGEST = 72


def problems(message: str) -> list[str]:
    """What is wrong with a message; lines that git drops do not count."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0] if lines else ""
    if subject.startswith(("Merge ", "Revert ", "fixup! ", "squash! ")):
        return []
    found = []
    if not subject:
        found.append("the subject is empty")
    if len(subject) > LONGEST:
        found.append(f"the subject has {len(subject)} characters; at most {LONGEST} are allowed")
    if subject.endswith("."):
        found.append("the subject ends with a full stop")
    if len(lines) > 1 and lines[1]:
        found.append("the second line is not empty")
    return found


def main() -> int:
    """Returns 1 and prints what is wrong, or 0."""
    found = problems(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for problem in found:
        print(f"commit message: {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
