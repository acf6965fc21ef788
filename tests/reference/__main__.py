"""Our worker against a built checkout of the reference: `make reference KIT=path`.

    python -m tests.reference tests KIT    the reference's own tests, with its worker and with ours
    python -m tests.reference swap KIT     two hundred plans through both workers, compared
    python -m tests.reference fleet KIT    both workers on one platform at once
    python -m tests.reference mistakes KIT typical mistakes, and what both say of them
    python -m tests.reference replace KIT  the page that replaces the worker, with the real old one

`docs/reference-tests.md` says how to build KIT, and what came of it. `--only reference` or `--only
ours` leaves the tests of the other out. Further words are files of tests (`ws-worker/lightning`)
or names of plans. The streams of a swap are kept in the folder of `--out`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reference import mistakes
from reference.fleet import mixed
from reference.kit import Kit, environment
from reference.own_tests import Result, run_all
from reference.plans import plans
from reference.swap import compare


def main(arguments: list[str]) -> int:
    """Returns the exit code: 1 when something differs for which no reason is written down."""
    parser = argparse.ArgumentParser(prog="python -m tests.reference", description=__doc__)
    parser.add_argument("what", choices=["tests", "swap", "fleet", "mistakes", "replace"])
    parser.add_argument("kit", type=lambda text: Kit(Path(text).resolve()))
    parser.add_argument("words", nargs="*")
    parser.add_argument("--only", choices=["reference", "ours"])
    parser.add_argument("--out", type=Path, default=Path("build/reference"))
    given = parser.parse_intermixed_args(arguments)
    given.kit.check()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.what == "tests":
        return own_tests(given.kit, given.only, tuple(given.words))
    if given.what == "replace":
        return replace(given.kit)
    if given.what == "mistakes":
        page = (given.out / given.what).with_suffix(".md")
        page.write_text(mistakes.page(given.kit), encoding="utf-8")
        say(f"wrote {page}")
        return 0
    if given.what == "fleet":
        wrong = mixed(given.kit)
        say("\n".join(wrong) or "200 runs by both kinds of worker, none lost, none twice")
        return 1 if wrong else 0
    wanted = [item for item in plans() if not given.words or item.name in given.words]
    said = compare(given.kit, wanted, given.out)
    for line in said:
        say(line)
    say(f"{len(wanted)} plans through both workers, {len(said)} differences without a reason")
    return 1 if said else 0


def own_tests(kit: Kit, only: str | None, files: tuple[str, ...]) -> int:
    """The reference's tests, and how many of them passed with each worker."""
    found: dict[str, list[Result]] = {}
    for who in [only] if only else ["reference", "ours"]:
        found[who] = []
        for result in run_all(kit, ours=who == "ours", files=files):
            found[who].append(result)
            say(f"{who:9} {'passed' if result.passed else 'FAILED'} {result.file}: {result.name}")
            if result.why:
                say(result.why)
    for who, results in found.items():
        passed = sum(result.passed for result in results)
        say(f"{who}: {passed} of {len(results)} passed")
    return 0


def replace(kit: Kit) -> int:
    """The exit code of the test of the page that replaces the worker, with the real old one."""
    whole = environment(kit)
    old = f"{whole['PATH'].split(':')[0]}/node {kit.start_script}"
    test = Path(__file__).parents[1] / "component" / "worker" / "test_replace.py"
    command = (sys.executable, "-m", "pytest", "-q", "--timeout=600", str(test))
    environ = {**whole, "HOLDFAST_OLD_WORKER": old}
    return subprocess.run(command, env=environ, check=False).returncode


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
