// The text of a job and its author's view of it: positions, source lines, operations.

import { readMap } from './sourcemap.mjs';


/**
 * One step's module. `map(line, column)` turns a position in `code` into the author's; the
 * text comes with edits (from our compiler), with a source map (plans of the reference), or as
 * it stands.
 */
export class JobText {
  constructor(step, { code, edits, operations }) {
    this.code = code;
    this.operations = operations ?? step.sourceMap?.operations ?? [];
    this.name = step.name || step.id;
    if (edits !== undefined) this.#useEdits(edits);
    else if (step.sourceMap) this.#useMap(step.sourceMap);
  }

  /** Set where positions are the author's: the name that `state.errors` gives as `step`. */
  step = undefined;
  /** The author's lines, where they are known. */
  source = undefined;
  #find = (line, column) => ({ line, column });
  /** Lines shown before and after the one that an error points at. */
  #around = 0;

  map(line, column) {
    return this.#find(line, column) ?? { line, column };
  }

  /** What `state.errors` shows of a position. */
  shown({ line, column }) {
    const src = this.source?.[line - 1];
    return src === undefined ? { line, column } : { line, column, src: cutLine(src) };
  }

  /** The author's operation that runs as number `order`, from 1. */
  operation(order) {
    return this.operations.find((known) => known.order === order);
  }

  /** The lines of the author's code around a position with a caret under the column, or undefined. */
  frame({ line, column }) {
    if (this.source?.[line - 1] === undefined) return undefined;
    const first = Math.max(1, line - this.#around);
    const last = Math.min(this.source.length, line + this.#around);
    const width = String(last).length;
    const shown = [];
    for (let number = first; number <= last; number++) {
      const text = this.source[number - 1];
      if (number !== line && text.trim() === '') continue;
      shown.push(`${String(number).padStart(width)}: ${cutLine(text)}`);
      if (number === line) shown.push(`${' '.repeat(width + 2 + column - 1)}^ `);
    }
    return shown;
  }

  #useMap(sourceMap) {
    this.step = this.name;
    let map;
    try {
      map = readMap(sourceMap);
    } catch {
      return; // a broken map never breaks the report of an error
    }
    this.source = map.text(`${this.name}.js`)?.split('\n');
    this.#find = (line, column) => map.find(line, column);
  }

  /** Edits of our compiler (`holdfast.compiler`): where the rule of translation changes. */
  #useEdits(edits) {
    this.step = this.name;
    this.#around = 1;
    this.#find = (line, column) => authorPosition(edits, line, column);
  }
}

/**
 * Each entry is `[line, column, author's line, author's column]`: from that position on the text
 * is the author's from there; with a fifth element it is new and stands for that one position.
 */
export function authorPosition(entries, line, column) {
  let low = 0, high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const [entryLine, entryColumn] = entries[middle];
    if (entryLine < line || (entryLine === line && entryColumn <= column)) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return { line, column };
  const entry = entries[low - 1];
  const [fromLine, fromColumn, toLine, toColumn] = entry;
  if (entry.length === 5) return { line: toLine, column: toColumn };
  if (fromLine === line) return { line: toLine, column: toColumn + column - fromColumn };
  return { line: toLine + line - fromLine, column };
}

/** A line that embeds megabytes of data is not repeated in a log. */
function cutLine(text) {
  return text.length <= 500 ? text : `${text.slice(0, 500)}…`;
}
