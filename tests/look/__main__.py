"""Compares how the pages of two revisions look: `make look BASE=main`.

Both are drawn on this machine, one after the other: letters of another machine would differ
everywhere. Pictures of both, and of what differs, are left in `build/look`. Exit 1: look at them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from check_javascript import NODE, install  # noqa: E402 - the folder of scripts is no package

TOOLS = ROOT / ".cache" / "look"
OUT = ROOT / "build" / "look"
#: A share of a page's points that may differ: half a line of text of the smallest page.
TOLERANCE = 0.0005


def compare(before: Path, after: Path, out: Path) -> dict[str, float]:
    """The share of points that differ, by the name of the picture."""
    install(ROOT / "tests" / "look", TOOLS)
    command = [str(NODE), str(ROOT / "tests/look/compare.mjs"), str(before), str(after), str(out)]
    done = subprocess.run(
        command, env={**os.environ, "LOOK_TOOLS": str(TOOLS)}, stdout=subprocess.PIPE, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def changed(shares: dict[str, float]) -> list[str]:
    """Pictures that differ by more than is tolerated, the most different first."""
    return sorted((n for n, s in shares.items() if s > TOLERANCE), key=lambda n: -shares[n])


def draw(source: Path, out: Path) -> None:
    """Pictures of the pages of this source tree; the scene and the browser are ours."""
    places = [source / "src", ROOT / "tests"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}
    subprocess.run([sys.executable, "-m", "look.pictures", str(out)], env=env, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--base", default="main", help="the revision to compare with")
    base = parser.parse_args().base
    shutil.rmtree(OUT, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "base"
        git = ["git", "-C", str(ROOT)]
        subprocess.run([*git, "worktree", "add", "--quiet", "--detach", tree, base], check=True)
        try:
            draw(tree, OUT / "before")
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", tree], check=True)
    draw(ROOT, OUT / "after")
    shares = compare(OUT / "before", OUT / "after", OUT / "difference")
    found = changed(shares)
    for name in found:
        sys.stdout.write(f"{shares[name]:8.2%}  {name}\n")
    told = f"{len(shares)} pictures, {len(found)} differ from {base}"
    sys.stdout.write(f"{told}: see {OUT.relative_to(ROOT)}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
