/**
 * A compiled step as the compiler sends it (docs/engine-protocol.md, "The compiler's frames"):
 * its parts, the author's positions, and the data that was taken out of the module.
 */
import { Buffer } from 'node:buffer';
import vm from 'node:vm';

const { parse, stringify } = JSON;
/** Bytes of one frame at most; below `CHUNK` in `holdfast.engine.frames`. */
const PIECE = 128 * 1024;
const LINE_END = /\r\n|[\n\r\u2028\u2029]/;

/** Puts the MODULE frames of one step after another together. */
export class ModuleReader {
  /** @type {ModuleHeader | undefined} */
  #header;
  /** @type {Buffer[]} */
  #parts = [];
  #missing = 0;
  #filling = 0;
  #filled = 0;

  /**
   * Take a frame's body. Returns the step's CompiledStep when it is complete, else undefined.
   * `kept`: with the bytes that it was made of, for `frames`.
   * @param {Buffer} body
   * @param {boolean} [kept]
   * @returns {CompiledStep | undefined}
   */
  take(body, kept = false) {
    let rest = body;
    let header = this.#header;
    if (header === undefined) {
      const end = body.indexOf(10);
      header = this.#begin(parse(body.toString('utf8', 0, end)));
      rest = body.subarray(end + 1);
    }
    this.#missing -= rest.length;
    this.#fill(rest);
    if (this.#missing > 0) return undefined;
    const step = new CompiledStep(header, this.#parts);
    if (kept) step.raw = [Buffer.from(`${stringify(header)}\n`), ...this.#parts];
    this.#header = undefined;
    this.#parts = [];
    return step;
  }

  /**
   * Memory for the parts. They are filled as they come, so nothing is held twice.
   * @param {ModuleHeader} header
   */
  #begin(header) {
    // without parts, the content is a finished module (option `compile: false`)
    const { bytes, parts = [0, 0, bytes] } = header;
    this.#header = header;
    this.#missing = bytes;
    this.#parts = parts.map((length) => Buffer.allocUnsafeSlow(length));
    this.#filling = this.#filled = 0;
    return header;
  }

  /** @param {Buffer} bytes */
  #fill(bytes) {
    let from = 0;
    while (from < bytes.length && this.#filling < this.#parts.length) {
      const part = this.#parts[this.#filling];
      const taken = bytes.copy(part, this.#filled, from);
      from += taken;
      this.#filled += taken;
      if (this.#filled < part.length) continue;
      this.#filling += 1;
      this.#filled = 0;
    }
  }
}

/** One compiled step: `index`, `step` (id), `name`, `code`, `check`, `operations`, `doubt`. */
export class CompiledStep {
  /**
   * The bytes it was made of, where it is to be handed on.
   * @type {Buffer[]}
   */
  raw = [];
  /** @type {{ text: Buffer | undefined, once: boolean }[]} */
  #data;
  /** @type {string[] | undefined} */
  #lines;

  /**
   * @param {ModuleHeader} header
   * @param {Buffer[]} parts
   */
  constructor({ index, step, name }, [meta, check, code, ...data]) {
    const known = meta.length > 0 ? parse(meta.toString()) : {};
    this.index = index;
    this.step = step;
    this.name = name;
    /** @type {Operation[] | undefined} */
    this.operations = known.operations;
    /** @type {Edit[] | undefined} */
    this.edits = known.edits;
    /** @type {Edit[]} */
    this.checkEdits = known.check_edits ?? [];
    /**
     * Names that neither the author nor an adaptor declares: name, line, column.
     * @type {[string, number, number][]}
     */
    this.unknown = known.unknown ?? [];
    /** @type {Verdict | null | undefined} */
    this.doubt = known.doubt;
    this.check = check.toString();
    this.code = code.toString();
    this.#data = data.map((text, number) => ({ text, once: known.once[number] }));
  }

  /** Bodies of the MODULE frames that make the same step in another process. */
  * frames() {
    for (const part of this.raw) {
      for (let at = 0; at < part.length; at += PIECE) yield part.subarray(at, at + PIECE);
    }
  }

  /** Whether our compiler made it. Then positions are known, and V8 must check it first. */
  get compiled() {
    return this.edits !== undefined;
  }

  /**
   * The author's line and column (from 1) of a position in `code`.
   * @param {number} line
   * @param {number} column
   */
  position(line, column) {
    return authorPosition(this.edits ?? [], line, column);
  }

  /**
   * A line of the author's text; embedded data in it may be shortened.
   * @param {number} number
   * @returns {string | undefined}
   */
  line(number) {
    this.#lines ??= this.check.split(LINE_END);
    const at = this.checkEdits.findLast((entry) => entry.length === 4 && entry[2] <= number);
    return this.#lines[(at ? at[0] + number - at[2] : number) - 1];
  }

  /**
   * The error that forbids loading the step, or null: `{message, line, column}` in the author's
   * positions (null where unknown). `checkSyntax` is that of `syntax.mjs`.
   * @param {(text: string) => Verdict | null} checkSyntax
   * @returns {Verdict | null}
   */
  judge(checkSyntax) {
    const verdict = checkSyntax(this.check);
    if (verdict === null) return this.doubt ?? null;
    if (verdict.line === null) return verdict;
    const at = authorPosition(this.checkEdits, verdict.line, verdict.column ?? 1);
    return { ...verdict, line: at.line, column: verdict.column === null ? null : at.column };
  }

  /**
   * The module `holdfast:data` of this step, for the linker. `context` is the step's vm context;
   * call this before any code of the job runs in it.
   * @param {vm.Context} context
   */
  dataModule(context) {
    const parseThere = vm.runInContext('JSON.parse', context);
    const items = this.#data;
    const wrap = vm.runInContext('(take) => (number) => take(number)', context);
    const data = wrap((/** @type {number} */ number) => {
      const item = items[number];
      const text = String(item.text);
      if (item.once) item.text = undefined;
      return parseThere(text);
    });
    const module = new vm.SyntheticModule(['data'], () => module.setExport('data', data), {
      context,
      identifier: 'holdfast:data',
    });
    return module;
  }
}

/**
 * The author's `{line, column}` of a position in an edited text; all count from 1.
 * @param {Edit[]} edits
 * @param {number} line
 * @param {number} column
 * @returns {Position}
 */
export function authorPosition(edits, line, column) {
  let low = 0;
  let high = edits.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const [entryLine, entryColumn] = edits[middle];
    if (entryLine < line || (entryLine === line && entryColumn <= column)) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return { line, column };
  const [fromLine, fromColumn, authorLine, authorColumn, fixed] = edits[low - 1];
  if (fixed) return { line: authorLine, column: authorColumn };
  if (fromLine === line) return { line: authorLine, column: authorColumn + column - fromColumn };
  return { line: authorLine + line - fromLine, column };
}
