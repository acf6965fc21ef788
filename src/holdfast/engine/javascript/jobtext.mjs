// The text of a job as its author sees it: positions, source lines, operations.

import { readMap } from './sourcemap.mjs';

/** @import { CompiledStep } from './compiled.mjs' */

/**
 * One step's module. `map(line, column)` turns a position in `code` into the author's; the
 * text comes from our compiler with edits, with a source map (plans of the reference), or as
 * it stands.
 */
export class JobText {
  /**
   * `plan`: the step as planned; `compiled`: its CompiledStep.
   * @param {{ id: string, name?: string, sourceMap?: SourceMap }} plan
   * @param {CompiledStep} compiled
   */
  constructor(plan, compiled) {
    this.compiled = compiled;
    this.code = compiled.code;
    /** @type {Operation[]} */
    this.operations = compiled.operations ?? plan.sourceMap?.operations ?? [];
    this.name = plan.name || plan.id;
    if (compiled.compiled) this.#useEdits();
    else if (plan.sourceMap) this.#useMap(plan.sourceMap);
  }

  /**
   * The name that `state.errors` gives as `step`. Set only if positions are the author's.
   * @type {string | undefined}
   */
  step = undefined;
  /** @type {unknown} */
  mapProblem = undefined;
  /** @type {(number: number) => string | undefined} */
  #line = () => undefined;
  /** @type {(line: number, column: number) => Position | undefined} */
  #find = (line, column) => ({ line, column });
  /**
   * An author's column in the shortened line that is shown.
   * @type {(line: number, column: number) => number}
   */
  #caret = (_, column) => column;
  /** Lines shown before and after the one that an error points at. */
  #around = 0;

  /**
   * @param {number} line
   * @param {number} column
   */
  map(line, column) {
    return this.#find(line, column) ?? { line, column };
  }

  /**
   * What `state.errors` shows of a position.
   * @param {Position} at
   * @returns {Position}
   */
  shown({ line, column }) {
    const src = this.#line(line);
    return src === undefined ? { line, column } : { line, column, src: cutLine(src) };
  }

  /**
   * The operation of the author's text that runs as number `order`, from 1.
   * @param {number} [order]
   */
  operation(order) {
    return this.operations.find((known) => known.order === order);
  }

  /**
   * The author's lines from one to another, the last ones where they are many; undefined where
   * they are not known.
   * @param {number} from
   * @param {number} to
   */
  lines(from, to) {
    const known = [];
    for (let number = Math.max(from, to - MOST_LINES); number <= to; number += 1) {
      known.push((this.#line(number) ?? '').slice(0, MOST));
    }
    return this.#line(to) === undefined ? undefined : known.join('\n');
  }

  /**
   * Where a name that nobody declares stands first; undefined where that is not known.
   * @param {string} name
   */
  unknown(name) {
    const found = this.compiled.unknown.find(([known]) => known === name);
    return found && this.shown({ line: found[1], column: found[2] });
  }

  /**
   * Where one of these texts stands first, among the first lines.
   * @param {string[]} texts
   */
  find(texts) {
    for (let line = 1; line <= MOST; line += 1) {
      const src = this.#line(line);
      if (src === undefined) return undefined;
      const column = Math.max(...texts.map((text) => src.indexOf(text))) + 1;
      if (column > 0) return this.shown({ line, column });
    }
    return undefined;
  }

  /**
   * Where an operation begins in the author's text; undefined where only the compiled one is known.
   * @param {Operation} [operation]
   */
  begin(operation) {
    if (operation === undefined || !this.compiled.compiled) return undefined;
    const { line } = operation;
    const column = (this.#line(line) ?? '').search(/\S|$/) + 1;
    return this.shown({ line, column });
  }

  /**
   * The lines of the author's code around a position with a caret under the column, or undefined.
   * @param {Position} at
   * @returns {string[] | undefined}
   */
  frame({ line, column }) {
    if (this.#line(line) === undefined) return undefined;
    const width = String(line + this.#around).length;
    const shown = [];
    for (let number = line - this.#around; number <= line + this.#around; number++) {
      const text = this.#line(number);
      if (text === undefined || (number !== line && text.trim() === '')) continue;
      const caret = number === line ? this.#caret(line, column) : 1;
      const part = excerpt(text, caret);
      shown.push(`${String(number).padStart(width)}: ${part.text}`);
      if (number === line && caret <= text.length + 1) {
        // the line of the caret is as long as the line above it, as in the reference
        shown.push(' '.repeat(width + 2) + '^'.padStart(part.caret).padEnd(part.text.length));
      }
    }
    return shown;
  }

  /** @param {SourceMap} sourceMap */
  #useMap(sourceMap) {
    let map;
    try {
      map = readMap(sourceMap);
    } catch (error) {
      this.mapProblem = error; // the error that needed the map is still reported
      return;
    }
    this.step = this.name;
    const lines = map.text(`${this.name}.js`)?.split('\n') ?? [];
    this.#line = (number) => lines[number - 1];
    this.#find = (line, column) => map.find(line, column);
  }

  #useEdits() {
    this.step = this.name;
    this.#around = 1;
    this.#find = (line, column) => this.compiled.position(line, column);
    this.#line = (number) => (number < 1 ? undefined : this.compiled.line(number));
    this.#caret = (line, column) => shortenedColumn(this.compiled.checkEdits, line, column);
  }
}

/** Characters of one line that a log repeats, and lines before a failure that are told. */
const MOST = 500;
const MOST_LINES = 60;

/**
 * A line that embeds megabytes of data is not repeated whole.
 * @param {string} text
 */
function cutLine(text) {
  return text.length <= MOST ? text : `${text.slice(0, MOST)}…`;
}

/**
 * The part of a line around a column, and the column in that part.
 * @param {string} text
 * @param {number} column
 */
function excerpt(text, column) {
  if (text.length <= MOST) return { text, caret: column };
  const start = Math.max(0, Math.min(column - 1, text.length) - MOST / 2);
  const before = start > 0 ? '…' : '';
  const part = text.slice(start, start + MOST);
  const after = start + MOST < text.length ? '…' : '';
  return { text: before + part + after, caret: column - start + before.length };
}

/**
 * The column of an author's position in a text with shortened literals. `edits` describe that text:
 * `[line, column, author's line, author's column]` for each place where copying starts again.
 * @param {Edit[]} edits
 * @param {number} line
 * @param {number} column
 */
function shortenedColumn(edits, line, column) {
  const copied = edits.findLast((entry) => entry.length === 4
    && (entry[2] < line || (entry[2] === line && entry[3] <= column)));
  return copied?.[2] === line ? copied[1] + column - copied[3] : column;
}
