"""Checks of code before it runs: syntax by V8, names and arguments as adaptors declare them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from holdfast.adaptors.declared import Declared, declared, operations
from holdfast.adaptors.errors import AutoinstallError
from holdfast.adaptors.specifier import Specifier
from holdfast.adaptors.store import Store
from holdfast.compiler import AdaptorExports, CompiledJob, CompileError, Source, compile_job
from holdfast.compiler.calls import calls
from holdfast.diagnosis.code_rules import name_found, syntax
from holdfast.diagnosis.ending import Diagnosis, Ending, Found, made
from holdfast.engine.run.syntax import judge, verdicts
from holdfast.model.adaptor_name import COLLECTIONS, USES_COLLECTIONS, full_name

_BEFORE = "function condition(state, upstreamStepId) { return "


@dataclass(frozen=True, slots=True)
class Code:
    """One step's code to be checked, and what to call it."""

    name: str
    text: str
    adaptors: tuple[str, ...]
    #: Names that the workflow's globals declare.
    declared: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that will fail, or may (`warning`). Line and column count from 1 in the code."""

    code: Code
    diagnosis: Diagnosis
    line: int | None
    column: int | None
    warning: bool = False


@dataclass
class Checker:
    """Checks against the adaptors of a store; each is read once."""

    store: Store
    _known: dict[str, tuple[AdaptorExports, dict[str, Declared]]] = field(default_factory=dict)
    #: Adaptors that are not installed here: what uses them is not checked against them.
    absent: set[str] = field(default_factory=set)

    def check(self, codes: Sequence[Code]) -> list[Finding]:
        """All findings, step by step."""
        found: list[Finding] = []
        compiled: list[tuple[Code, CompiledJob]] = []
        for code in codes:
            try:
                exports = [self._adaptor(name)[0] for name in code.adaptors]
                if USES_COLLECTIONS.search(code.text):
                    exports.append(AdaptorExports(COLLECTIONS, ("collections",)))
                job = compile_job(Source.of(code.text), exports, name=code.name)
                compiled.append((code, job))
            except CompileError as error:
                found.append(_refused(code, error))
        errors = judge([job for _, job in compiled]) if compiled else []
        for (code, job), refusal in zip(compiled, errors, strict=True):
            if refusal is not None:
                found.append(_refused(code, refusal))
            else:
                found += _warned(code, job)
                found += self._names(code, job)
                found += self._arguments(code)
        return found

    def operations(self, adaptor: str) -> list[tuple[str, str]]:
        """Names that code may use, and the arguments of each as the adaptor declares them."""
        exports, known = self._adaptor(adaptor)
        return [
            (name, f"({', '.join(item.name for item in known[name].parameters)})")
            if name in known
            else (name, "")
            for name in sorted({*exports.exports, *known})
        ]

    def giving(self, adaptor: str) -> Sequence[str]:
        """Names that give an operation, as the adaptor says; empty: it says nothing."""
        return self._adaptor(adaptor)[0].operations

    def _adaptor(self, name: str) -> tuple[AdaptorExports, dict[str, Declared]]:
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    def _read(self, name: str) -> tuple[AdaptorExports, dict[str, Declared]]:
        try:
            wanted = Specifier.parse(full_name(name))
        except AutoinstallError:
            return AdaptorExports(name), {}
        for folder, record in reversed(list(self.store.installed())):
            if record.name == wanted.name and wanted.version in {None, "latest", record.version}:
                package = record.at(folder).path
                # an older Holdfast may have written the record without operations
                exports = AdaptorExports(
                    record.name, record.exports, operations=operations(package)
                )
                return exports, declared(package)
        self.absent.add(str(wanted))
        return AdaptorExports(wanted.name), {}

    def _names(self, code: Code, job: CompiledJob) -> Iterable[Finding]:
        exports = [name for each in code.adaptors for name in self._adaptor(each)[0].exports]
        if code.adaptors and not exports:
            return
        names = ", ".join(self._adaptor(each)[0].name for each in code.adaptors) or "none"
        for name, line, column in job.unknown:
            if name not in code.declared:
                yield _finding(code, name_found(name, exports, names), line, column, warning=True)

    def _arguments(self, code: Code) -> Iterable[Finding]:
        known = {}
        for each in code.adaptors:
            known.update(self._adaptor(each)[1])
        for call in calls(Source.of(code.text)) if known else ():
            operation = known.get(call.name)
            if operation is None or call.arguments is None:
                continue
            most = operation.most
            if call.arguments < operation.least or (most is not None and call.arguments > most):
                wanted = ", ".join(item.name for item in operation.parameters)
                values = {"name": call.name, "count": str(call.arguments), "wanted": wanted}
                yield _finding(code, Found("HF1016", values), call.line, call.column, warning=True)


def check_conditions(conditions: Sequence[str]) -> list[str | None]:
    """V8's word on each edge condition; None where it is an expression."""
    texts = [f"{_BEFORE}{text}\n}}" for text in conditions]
    found = verdicts(texts) if texts else []
    return [None if verdict is None else verdict["message"] for verdict in found]


def _warned(code: Code, job: CompiledJob) -> Iterable[Finding]:
    """What the compiler says of code that it takes."""
    for item in job.warned:
        found = Found(item.code, item.values)
        yield _finding(code, found, item.line, item.column, warning=True)


def _refused(code: Code, error: CompileError) -> Finding:
    end = Ending("crash", "CompileError", error.message, code.name)
    found = syntax(end)
    assert found is not None, "a refusal of the compiler is a syntax error"
    return _finding(code, found, error.line, error.column)


def _finding(
    code: Code, found: Found, line: int | None, column: int | None, *, warning: bool = False
) -> Finding:
    rows = code.text.splitlines()
    src = rows[line - 1][:300] if line and line <= len(rows) else None
    place = {"line": line, "column": column, "src": src} if line else {}
    diagnosis = made(found, step=code.name, position=place)  # type: ignore[arg-type]  # JSON values
    return Finding(code, diagnosis, line, column, warning)
