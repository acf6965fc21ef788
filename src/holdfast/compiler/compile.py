"""Job source in, module text out, by editing the text (`docs/compiler.md`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from holdfast.compiler.analysis import Reading, read
from holdfast.compiler.chains import Chain, captured, kept, rewrite_chains, waiting
from holdfast.compiler.edit import Edits, Segment, length, position_map
from holdfast.compiler.hoisting import CHECK_FROM, DATA_MODULE, HOIST_FROM, hoist, shortened
from holdfast.compiler.holders import embedded_data
from holdfast.compiler.job import AdaptorExports, CompiledJob, CompileError, Operation, Warned
from holdfast.compiler.lazy import DETAILS, LazyStateError, rewrite_lazy_state
from holdfast.compiler.lost import lost
from holdfast.compiler.misplaced import misplaced
from holdfast.compiler.module import Layout, build, expression_of, lay_out
from holdfast.compiler.names import WORLD, free_names, wanted
from holdfast.compiler.report import ADVICE_BYTES, CompileReport
from holdfast.compiler.scope import Uses
from holdfast.compiler.source import Source
from holdfast.compiler.tree import Node, bare, name_of

#: The transforms that `disable` may name.
TRANSFORMS = ("lazy-state", "promises", "ensure-exports", "top-level-operations", "add-imports")
RUNTIME = "@openfn/runtime"
HELPER = "_defer"
#: Names that nobody declares are told up to this number.
MOST_UNKNOWN = 100


def compile_job(
    source: str | bytes | Source,
    adaptors: Sequence[AdaptorExports] = (),
    *,
    name: str | None = None,
    ignore: Collection[str] = (),
    disable: Collection[str] = (),
    hoist_from: int | None = HOIST_FROM,
    advice_bytes: int = ADVICE_BYTES,
    smallest_literal: int | None = None,
) -> CompiledJob:
    """Compile one step.

    `name` is the step's, for messages. `hoist_from`: JSON literals of at least so many bytes are
    taken from `holdfast:data` (None: never). `smallest_literal` is for tests: data of that size
    is not parsed, even in a small text.

    The result is valid only if V8 accepts `check`, because V8 alone judges syntax. Raises
    CompileError for what the reference refuses although V8 accepts it.
    """
    text = source if isinstance(source, Source) else Source.of(source)
    reading = read(text, smallest=smallest_literal)
    check = shortened(text, reading.literals, CHECK_FROM)
    if reading.root is None:
        return _unread(text, reading, check, name, advice_bytes)
    edits = Edits()
    uses = Uses(reading.root, text.text)
    chains, later, lazy = _rewrite(reading.root, uses, text, edits, disable=disable, name=name)
    layout = lay_out(reading.root, chains, text.text)
    gather = "top-level-operations" not in disable
    if gather:
        _refuse_listed_default(layout, text, name)
    warned = _names_of_ours(chains, uses, text, name)
    data, data_name = hoist(reading, text, edits, hoist_from, later)
    free = free_names(uses.uses)
    imports = {} if "add-imports" in disable else _imports(free, adaptors, ignore)
    given = {one for names in imports.values() for one in names}
    sure = given.intersection(one for adaptor in adaptors for one in adaptor.operations)
    warned += misplaced(lazy, sure, given | uses.imported, text, uses.uses)
    warned += lost(reading.root, text)
    header = _header(imports, adaptors, bool(chains), uses, data_name)
    parts = build(layout, text.text, header, ensure="ensure-exports" not in disable, gather=gather)
    segments = edits.render(parts)
    operations = _operations(layout, chains, text) if _moves(layout, disable) else []
    report = CompileReport(
        name,
        len(text),
        len(operations),
        imports,
        embedded_data(reading, text, {item.start for item in data}),
        advice_bytes,
        length(segments),
        [_words(item) for item in warned],
    )
    return CompiledJob(
        name,
        text,
        operations,
        position_map(text, segments),
        position_map(text, check),
        report,
        data,
        None,
        segments,
        check,
        _unknown(free, imports, text),
        warned,
    )


def _unread(
    text: Source, reading: Reading, check: list[Segment], name: str | None, advice_bytes: int
) -> CompiledJob:
    report = CompileReport(name, len(text), 0, advice_bytes=advice_bytes, module_bytes=len(text))
    doubt = CompileError(
        reading.trouble or "the structure of this text cannot be read",
        name=name,
        fix="V8 accepts it, the compiler does not understand it: write it in a plainer way.",
    )
    whole: list[Segment] = [(0, len(text))]
    return CompiledJob(
        name, text, [], [], position_map(text, check), report, [], doubt, whole, check
    )


def _rewrite(
    root: Node,
    uses: Uses,
    text: Source,
    edits: Edits,
    *,
    disable: Collection[str],
    name: str | None,
) -> tuple[list[Chain], set[Node], set[Node]]:
    """The chains, the nodes in which functions of ours came to be, and those made by `$`."""
    wrapped: set[Node] = set()
    chains: list[Chain] = []
    if "lazy-state" not in disable and "$" in text.text:
        try:
            wrapped = rewrite_lazy_state(root, uses.uses, text.text, edits)
        except LazyStateError as error:
            message = f"Lazy State Error: {error.text}"
            raise _error_at(error.node, text, name, message, DETAILS) from None
    if "promises" not in disable:
        chains = rewrite_chains(root, text, edits, wrapped, HELPER)
    return chains, wrapped.union(chain.call for chain in chains), wrapped


def _moves(layout: Layout, disable: Collection[str]) -> bool:
    """Whether the operations go into the array that the module exports."""
    if "top-level-operations" in disable:
        return False
    if layout.array is None:
        return not layout.has_default and "ensure-exports" not in disable
    return True


def _names_of_ours(
    chains: list[Chain], uses: Uses, text: Source, name: str | None
) -> list[Warned]:
    """Warn about names of the job that a rewritten chain hides; refuse what cannot work."""
    if chains and HELPER in uses.module.names and not uses.helper_imported:
        message = f"the name {HELPER} is taken: the compiler needs it for .then and .catch"
        raise CompileError(message, name=name, fix="Call it something else.")
    waits = waiting(chains, text.text)
    if waits is not None:
        raise _error_at(waits, text, name, "an operation cannot wait in .then() or .catch()")
    if chains:
        uses.module.names.add(HELPER)
    uses.uses = kept(chains, uses.uses)
    hidden = captured(chains, uses.uses)
    if hidden:
        uses.uses = [use for use in uses.uses if use.node not in hidden]
    places = dict(sorted((text.position(node.start) for node in hidden), reverse=True))
    return [
        Warned("HF1023", {"line": str(line)}, line, column)
        for line, column in sorted(places.items())[:10]
    ]


def _words(warned: Warned) -> str:
    # loaded by the few steps that need it
    from holdfast.diagnosis.ending import Found, made  # noqa: PLC0415

    told = made(Found(warned.code, warned.values))
    return f"{told.code}  {told.what} Change: {told.change}"


def _error_at(
    node: Node, text: Source, name: str | None, message: str, fix: str | None = None
) -> CompileError:
    line, column = text.position(node.start)
    excerpt = text.excerpt(line, column)
    return CompileError(message, line=line, column=column, name=name, excerpt=excerpt, fix=fix)


def _refuse_listed_default(layout: Layout, text: Source, name: str | None) -> None:
    if layout.listed_default is not None and layout.operations:
        message = "a step with operations cannot export a default of its own"
        fix = "Remove this export: the operations become the default export."
        raise _error_at(layout.listed_default, text, name, message, fix)


def _unknown(
    free: dict[str, Node], imports: dict[str, list[str]], text: Source
) -> list[tuple[str, int, int]]:
    """Names that nobody declares, with the place of their first use."""
    known = WORLD.union(*imports.values(), (HELPER,))
    return [
        (name, *text.position(node.start)) for name, node in free.items() if name not in known
    ][:MOST_UNKNOWN]


def _imports(
    free: dict[str, Node], adaptors: Sequence[AdaptorExports], ignore: Collection[str]
) -> dict[str, list[str]]:
    ignored, taken = set(ignore), set[str]()
    imports: dict[str, list[str]] = {}
    for adaptor in adaptors:
        if not adaptor.name:
            continue
        names = wanted(free, adaptor.exports, ignored, taken)
        if names:
            imports.setdefault(adaptor.name, []).extend(names)
            taken.update(names)
    return imports


def _header(
    imports: dict[str, list[str]],
    adaptors: Sequence[AdaptorExports],
    deferred: bool,
    uses: Uses,
    data_name: str | None,
) -> str:
    """The statements put before the job, on its first line."""
    whole = {adaptor.name for adaptor in adaptors if adaptor.export_all}
    out = []
    for adaptor, names in imports.items():
        quoted = _quoted(adaptor)
        listed = ", ".join(name.encode().decode("latin-1") for name in names)
        out.append(f"import {{ {listed} }} from {quoted};")
        if adaptor in whole:
            out.append(f"export * from {quoted};")
    if deferred and not uses.helper_imported:
        out.append(f'import {{ defer as {HELPER} }} from "{RUNTIME}";')
    if data_name is not None:
        out.append(f'import {{ data as {data_name} }} from "{DATA_MODULE}";')
    return "".join(f"{item} " for item in out)


def _quoted(text: str) -> str:
    escaped = "".join(
        char if " " <= char <= "~" and char not in '"\\' else f"\\u{{{ord(char):x}}}"
        for char in text
    )
    return f'"{escaped}"'


def _operations(layout: Layout, chains: list[Chain], text: Source) -> list[Operation]:
    deferred = {chain.call: chain.operation for chain in chains}
    out = []
    for order, statement in enumerate(layout.operations, start=1):
        call = bare(expression_of(statement))
        operation = deferred.get(call, call)
        line, column = text.position(operation.start)
        callee = bare(operation.children[0])
        name = name_of(callee, text.text) if callee.type == "identifier" else None
        out.append(Operation(order, line, column, name, call in deferred))
    return out
