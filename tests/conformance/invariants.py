"""What must hold for every text a compiler is given, correct or not."""

from __future__ import annotations

import random
import re
from typing import Any

from conformance.oracle import opinions
from holdfast.compiler import AdaptorExports, CompiledJob, CompileError, compile_job
from holdfast.compiler.source import utf8
from holdfast.engine.run.syntax import Verdict, judge, verdicts

LINE_END = re.compile("\r\n|[\r\n\u2028\u2029]")
ADAPTORS = [AdaptorExports("@openfn/language-common", ()), AdaptorExports("b", ("fn", "get"))]


def compiled(source: str, **options: Any) -> CompiledJob | CompileError:
    """The job or its error; anything else that is raised is a finding."""
    try:
        return compile_job(source, ADAPTORS, **options)
    except CompileError as error:
        if error.line is not None and error.line < 1:
            message = f"no line of a text: {error.line}"
            raise AssertionError(message) from error
        return error


def examine(sources: list[str], seed: int = 0) -> tuple[list[tuple[str, str]], int]:
    """Compile all of them; returns findings (`what`, source) and how many V8 accepted."""
    findings: list[tuple[str, str]] = []
    jobs: list[tuple[str, CompiledJob]] = []
    for source in sources:
        try:
            job = compiled(source)
            findings += [(what, source) for what in _elided(source, job)]
            if isinstance(job, CompiledJob):
                findings += [(what, source) for what in _positions(job, seed)]
                jobs.append((source, job))
        except Exception as error:
            findings.append((f"{type(error).__name__}: {error}", source))
    findings += _second_opinion(sources, jobs)
    words = judge([job for _, job in jobs])
    sound = [item for item, word in zip(jobs, words, strict=True) if word is None]
    results = verdicts([job.code for _, job in sound])
    for (source, _), verdict in zip(sound, results, strict=True):
        if verdict is not None and not _is_known_clash(verdict["message"]):
            findings.append((f"the module does not parse: {verdict}", source))
    for (source, job), word, plain in zip(
        jobs, words, verdicts([source for source, _ in jobs]), strict=True
    ):
        findings += [(what, source) for what in _verdict(job, word, plain)]
    return findings, len(sound)


def _second_opinion(
    sources: list[str], jobs: list[tuple[str, CompiledJob]]
) -> list[tuple[str, str]]:
    """What acorn's tree and the rules say (`oracle.mjs`)."""
    codes: dict[str, str | None] = dict.fromkeys(sources)
    codes.update({source: job.code for source, job in jobs})
    for source, job in jobs:
        if job.doubt is not None:
            codes.pop(source, None)
    adaptors = [
        {"name": item.name, "exports": list(item.exports), "exportAll": item.export_all}
        for item in ADAPTORS
    ]
    # A lone surrogate does not survive compilation (it becomes U+FFFD, as in every store).
    items = [
        {"source": utf8(source).decode(), "code": code, "adaptors": adaptors}
        for source, code in codes.items()
    ]
    words = opinions(items)
    return [(word, str(item["source"])) for item, word in zip(items, words, strict=True) if word]


def _is_known_clash(message: str) -> bool:
    """The helper's fixed name is the reference's; a job that declares it cannot have chains."""
    return "'_defer' has already been declared" in message


def _verdict(job: CompiledJob, word: CompileError | None, plain: Verdict | None) -> list[str]:
    """What V8 says of the check text is what it says of the author's."""
    if plain is None:
        refused = word is not None and word is not job.doubt
        return [f"V8 accepts the text and refuses its check: {word}"] if refused else []
    if word is None or word is job.doubt:
        return [f"V8 refuses the text ({plain}) and accepts its check"]
    if (word.line, word.column) != (plain["line"], plain["column"]) and word.line is not None:
        return [f"the error is at {plain}, not {word.line}:{word.column}"]
    return []


def _elided(source: str, job: CompiledJob | CompileError) -> list[str]:
    """Taking data out for analysis changes nothing."""
    other = compiled(source, smallest_literal=24, hoist_from=None)
    if isinstance(job, CompileError) or isinstance(other, CompileError):
        same = (
            isinstance(job, CompileError)
            and isinstance(other, CompileError)
            and (job.message, job.line, job.column) == (other.message, other.line, other.column)
        )
        return [] if same else [f"{job!r} without, {other!r} with elision"]
    if (job.doubt is None) == (other.doubt is None) and job.code != other.code:
        return ["elision changes the module"]
    return []


def _positions(job: CompiledJob, seed: int) -> list[str]:
    """Every character that was copied is found again where the author has it."""
    random_ = random.Random(seed)
    code, source = job.code, job.source.string(0, len(job.source))
    code_lines, source_lines = LINE_END.split(code), LINE_END.split(source)
    offset, line, column = 0, 1, 1
    wrong: list[str] = []
    for segment in job.segments:
        if isinstance(segment, str):
            text = segment.encode("latin-1").decode()
        else:
            text = job.source.string(*segment)
        if not isinstance(segment, str):
            for at in {0, len(text) - 1, random_.randrange(len(text))}:
                before = LINE_END.split(code[offset : offset + at])
                if code[offset + at] in "\r\n\u2028\u2029":
                    continue
                where = (
                    line + len(before) - 1,
                    (column if len(before) == 1 else 1) + _units(before[-1]),
                )
                found = job.position(*where)
                left = _at(code_lines, *where)
                right = _at(source_lines, *found)
                if left != right:
                    wrong.append(f"{where} is {left!r}, {found} is {right!r}")
        parts = LINE_END.split(text)
        if code[offset : offset + len(text)] != text:
            wrong.append("segments do not make up the module")
            break
        offset += len(text)
        line += len(parts) - 1
        column = (column if len(parts) == 1 else 1) + _units(parts[-1])
        if text.endswith("\r") and code[offset : offset + 1] == "\n":
            return wrong  # a pair of new and old text; the map is right, this reckoning is not
    return wrong


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _at(lines: list[str], line: int, column: int) -> str:
    if line > len(lines):
        return "(behind the end)"
    raw = lines[line - 1].encode("utf-16-le", "surrogatepass")
    return raw[2 * column - 2 : 2 * column].decode("utf-16-le", "replace")
