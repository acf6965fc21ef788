"""Errors that Holdfast explains to a person.

HoldfastError
├── UsageError          a command was called wrongly, or cannot work with what it was given
└── (each package derives its own from HoldfastError, next to the code that raises it)
"""

from __future__ import annotations


class HoldfastError(Exception):
    """Something a person can mend. `message` says what is wrong, `fix` what to do about it.

    The commands print both, without a traceback, and end with `exit_code`.
    """

    exit_code = 2

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n{self.fix}" if self.fix else self.message


class UsageError(HoldfastError):
    """A command was called wrongly, or cannot work with what it was given."""
