"""What goes into a compilation and what comes out of it: plain values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from holdfast.compiler.edit import Entry, Segment, author_position, length, pieces
from holdfast.compiler.report import CompileReport
from holdfast.compiler.source import Source
from holdfast.model.errors import HoldfastError
from holdfast.model.json import JsonObject


class CompileError(HoldfastError):
    """A step that cannot be compiled. Line and column count from 1, in the author's text.

    Columns are UTF-16 code units, as V8 and editors count them. Both are None if the error
    concerns the whole step. `excerpt` is the author's line with a caret below it.
    """

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        column: int | None = None,
        name: str | None = None,
        excerpt: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message, fix=fix)
        self.line = line
        self.column = column
        self.name = name
        self.excerpt = excerpt

    @property
    def description(self) -> str:
        """Step, message and place in one line, then the author's line with its caret."""
        return f"{self.summary}\n{self.excerpt}" if self.excerpt else self.summary

    @property
    def summary(self) -> str:
        """Step, message and place in one line."""
        where = ""
        if self.line is not None:
            known = self.column is not None
            where = f" ({self.line}:{self.column})" if known else f" (line {self.line})"
        return f"{self.name}: {self.message}{where}" if self.name else f"{self.message}{where}"

    def __str__(self) -> str:
        return f"{self.description}\n{self.fix}" if self.fix else self.description


class AdaptorExports(NamedTuple):
    """An adaptor of the step and the names it exports (`docs/spec/compiler.md` section 8).

    An empty `exports` means that they are unknown. Then free names are assumed to be its exports.
    `operations`: those of them that are known to give an operation.
    """

    name: str
    exports: tuple[str, ...] | list[str] = ()
    export_all: bool = True
    operations: tuple[str, ...] | list[str] = ()


class Warned(NamedTuple):
    """Something in the author's text that will not do what it seems to: a cause by its code in the
    catalogue, with what fills its words."""

    code: str
    values: dict[str, str]
    line: int
    column: int


class Operation(NamedTuple):
    """One call that became an element of the default export.

    `order` counts from 1; `line` and `column` (from 1) are the author's; `name` is the callee
    where that is a plain name; `deferred` tells that a promise chain was rewritten around it.
    """

    order: int
    line: int
    column: int
    name: str | None
    deferred: bool = False

    def to_json(self) -> JsonObject:
        return {
            "order": self.order,
            "line": self.line,
            "column": self.column,
            "name": self.name,
            "deferred": self.deferred,
        }


class HoistedData(NamedTuple):
    """A pure JSON literal that the module takes from `holdfast:data` instead of holding it.

    `start` and `end` are byte offsets in the author's text. `once`: it is evaluated at most
    once, so the engine may drop the text afterwards.
    """

    start: int
    end: int
    once: bool


class CompiledJob(NamedTuple):
    """A compiled step. Texts are given in pieces so that large data is never copied whole."""

    name: str | None
    source: Source
    operations: list[Operation]
    edits: list[Entry]
    check_edits: list[Entry]
    report: CompileReport
    data: list[HoistedData]
    #: Why the structure could not be read. V8 still checks the text, because it alone judges
    #: syntax. If V8 accepts the text, this is the error to report.
    doubt: CompileError | None
    segments: list[Segment]
    check_segments: list[Segment]
    #: Names that neither the job nor an adaptor declares: name, line, column of the first use.
    unknown: list[tuple[str, int, int]] = []  # noqa: RUF012 - of a named tuple, never changed
    #: What `report.warnings` says in words.
    warned: list[Warned] = []  # noqa: RUF012 - as above

    def measured(self, seconds: float, peak_mb: float | None) -> CompiledJob:
        """A copy with the cost of the compilation in its report."""
        return self._replace(report=self.report._replace(seconds=seconds, peak_mb=peak_mb))

    @property
    def code(self) -> str:
        """The module text."""
        return b"".join(self.code_pieces()).decode()

    @property
    def check(self) -> str:
        """The text V8 must judge before the module is loaded: the author's own, except that
        literals proven pure are shortened. `check_edits` maps its positions."""
        return b"".join(self.check_pieces()).decode()

    def code_pieces(self) -> Iterator[bytes]:
        """The module text as UTF-8, in pieces of bounded size."""
        return pieces(self.source, self.segments)

    def check_pieces(self) -> Iterator[bytes]:
        """`check` as UTF-8, in pieces of bounded size."""
        return pieces(self.source, self.check_segments)

    @property
    def code_bytes(self) -> int:
        """Bytes of the module text."""
        return length(self.segments)

    @property
    def check_bytes(self) -> int:
        """Bytes of `check`."""
        return length(self.check_segments)

    def data_pieces(self, index: int) -> Iterator[bytes]:
        """The JSON text of one hoisted literal, in pieces of bounded size."""
        item = self.data[index]
        return pieces(self.source, [(item.start, item.end)])

    def position(self, line: int, column: int) -> tuple[int, int]:
        """The author's line and column for a position in `code`."""
        return author_position(self.edits, line, column)

    def syntax_error(self, message: str, line: int | None, column: int | None) -> CompileError:
        """The error that V8 raised for `check`, with the author's position."""
        if line is None:
            return CompileError(message, name=self.name)
        line, mapped = author_position(self.check_edits, line, column or 1)
        shown = None if column is None else mapped
        return CompileError(
            message,
            line=line,
            column=shown,
            name=self.name,
            excerpt=self.source.excerpt(line, shown),
        )
