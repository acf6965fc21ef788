"""`python -m benchmarks [GROUP [FLAG…]]`: the figures of one group, or of all of them.

A group is a sub-package with a `main()`, in the package or in its `__main__`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import yardstick


def groups() -> list[str]:
    """The names of all groups."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted(item.name for item in found if item.ispkg)


def entry(group: str) -> Callable[..., None]:
    """The group's main function."""
    package = importlib.import_module(f"benchmarks.{group}")
    if not hasattr(package, "main"):
        package = importlib.import_module(f"benchmarks.{group}.__main__")
    main: Callable[..., None] = package.main
    return main


def run(group: str, flags: Sequence[str]) -> None:
    """Run one group under its headline."""
    print(f"\n== {group}", flush=True)
    main = entry(group)
    if inspect.signature(main).parameters:
        main(list(flags))
    else:
        main()


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; returns the exit code."""
    named = [item for item in arguments if not item.startswith("-")]
    flags = [item for item in arguments if item.startswith("-")]
    unknown = sorted(set(named) - set(groups()))
    if unknown:
        print(f"there is no group {', '.join(unknown)}; there are {', '.join(groups())}")
        return 2
    if not named and {"-h", "--help"} & set(flags):
        print(f"{__doc__}\nGroups: {', '.join(groups())}.")
        print("\npython -m benchmarks worker --only=lines")
        return 0
    yardstick.say()
    for group in named or groups():
        run(group, flags)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
