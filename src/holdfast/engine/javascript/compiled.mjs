/**
 * A compiled step as the compiler sends it (docs/engine-protocol.md, "The compiler's frames"):
 * its parts, the author's positions, and the data that was taken out of the module.
 */
import { Buffer } from 'node:buffer';
import vm from 'node:vm';

const { parse } = JSON;
const LINE_END = /\r\n|[\n\r\u2028\u2029]/;

/** Puts the MODULE frames of one step after another together. */
export class ModuleReader {
  #header;
  #pieces = [];
  #missing = 0;

  /** Take a frame's body. Returns the step's CompiledStep when it is complete, else undefined. */
  take(body) {
    let rest = body;
    if (this.#header === undefined) {
      const end = body.indexOf(10);
      this.#header = parse(body.toString('utf8', 0, end));
      this.#missing = this.#header.bytes;
      rest = body.subarray(end + 1);
    }
    this.#pieces.push(Buffer.from(rest));
    this.#missing -= rest.length;
    if (this.#missing > 0) return undefined;
    const step = new CompiledStep(this.#header, this.#split());
    this.#header = undefined;
    return step;
  }

  #split() {
    const parts = [];
    // without parts the content is a module as it stands (option `compile: false`)
    const { bytes, parts: lengths = [0, 0, bytes] } = this.#header;
    for (const length of lengths) {
      const whole = Buffer.allocUnsafeSlow(length);
      for (let filled = 0; filled < length; ) {
        const piece = this.#pieces[0];
        const taken = piece.copy(whole, filled, 0, length - filled);
        filled += taken;
        // pieces are let go of as they are used: only one part is ever held twice
        if (taken === piece.length) this.#pieces.shift();
        else this.#pieces[0] = piece.subarray(taken);
      }
      parts.push(whole);
    }
    this.#pieces = [];
    return parts;
  }
}

/** One compiled step: `index`, `step` (id), `name`, `code`, `check`, `operations`, `doubt`. */
export class CompiledStep {
  #data;

  constructor({ index, step, name }, [meta, check, code, ...data]) {
    const known = meta.length > 0 ? parse(meta.toString()) : {};
    const { operations, edits, check_edits: checkEdits, doubt, once } = known;
    Object.assign(this, { index, step, name, operations, edits, checkEdits, doubt });
    this.check = check.toString();
    this.code = code.toString();
    this.#data = data.map((text, number) => ({ text, once: once[number] }));
  }

  /** Whether our compiler made it: then positions are known, and V8 must judge it first. */
  get compiled() {
    return this.edits !== undefined;
  }

  /** The author's line and column (from 1) of a position in `code`. */
  position(line, column) {
    return authorPosition(this.edits, line, column);
  }

  /** A line of the author's text; embedded data in it may be shortened. */
  line(number) {
    this.lines ??= this.check.split(LINE_END);
    const at = this.checkEdits.findLast((entry) => entry.length === 4 && entry[2] <= number);
    return this.lines[(at ? at[0] + number - at[2] : number) - 1];
  }

  /**
   * The error that forbids loading the step, or null: `{message, line, column}` in the author's
   * positions (null where unknown). `checkSyntax` is that of `syntax.mjs`.
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
   */
  dataModule(context) {
    const parseThere = vm.runInContext('JSON.parse', context);
    const items = this.#data;
    const wrap = vm.runInContext('(take) => (number) => take(number)', context);
    const data = wrap((number) => {
      const item = items[number];
      const text = item.text.toString();
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

/** The author's `{line, column}` of a position in an edited text; all count from 1. */
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
