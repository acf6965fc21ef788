"""The names an installed adaptor offers to jobs, read from its type declarations."""

from __future__ import annotations

from pathlib import Path

#: Raise it when other names are read from the same package, here or by `declared.operations`:
#: recorded names are then read again.
VERSION = 3
#: Declarations are texts for people; larger ones are not read.
_LIMIT_BYTES = 16 << 20


def exported_names(package: Path) -> tuple[str, ...]:
    """Exported names of the package in a folder; empty: unknown, the compiler then guesses.

    Declarations that are missing or broken count as unknown: jobs that import what they use, or
    use what the compiler guesses right, still run. The reference fails to compile here.
    """
    # The compiler takes a fifth of an agent's start, and few agents install an adaptor.
    from holdfast.compiler.declarations import adaptor_exports  # noqa: PLC0415
    from holdfast.compiler.job import CompileError  # noqa: PLC0415

    inside = package.resolve()

    def read(path: str) -> str | None:
        file = (inside / path).resolve()
        try:
            if not file.is_relative_to(inside) or file.stat().st_size > _LIMIT_BYTES:
                return None
            return file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    try:
        return tuple(adaptor_exports(read("package.json"), read))
    except CompileError:
        return ()
