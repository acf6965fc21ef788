"""Errors of the journal.

JournalError
├── JournalDamaged    the file is not a journal, or of a version this program does not know
├── JournalFull       the disk or the run's budget has no room for an ordinary record
└── JournalLocked     another process owns the run
"""

from __future__ import annotations

from holdfast.model.errors import HoldfastError


class JournalError(HoldfastError):
    """The journal of a run cannot be used as asked."""


class JournalDamaged(JournalError):  # noqa: N818 - states a fact, as the design's words do
    """The file is not a journal, or of a version this program does not know."""


class JournalFull(JournalError):  # noqa: N818
    """The disk or the run's budget has no room for an ordinary record.

    The reserve is still there: records appended as essential are written into it.
    """


class JournalLocked(JournalError):  # noqa: N818
    """Another process owns the run."""
