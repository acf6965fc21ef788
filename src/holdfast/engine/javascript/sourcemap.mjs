// Source maps, version 3: only what is needed to find the author's position of an error.

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const DIGIT = new Map([...ALPHABET].map((letter, value) => [letter, value]));

/**
 * The numbers of one segment. Throws on text that is no VLQ.
 * @param {string} text
 */
function segment(text) {
  const numbers = [];
  let value = 0, shift = 0;
  for (const letter of text) {
    const digit = DIGIT.get(letter);
    if (digit === undefined) throw new Error(`not a source map: ${letter}`);
    value += (digit & 31) * 2 ** shift;
    if (digit & 32) {
      shift += 5;
      continue;
    }
    numbers.push(value % 2 ? -Math.floor(value / 2) : value / 2);
    value = shift = 0;
  }
  return numbers;
}

/**
 * Lists of `[column, source, line, column]` (all from 0), one list for each generated line.
 * @param {string} mappings
 */
function decode(mappings) {
  let source = 0, line = 0, column = 0;
  return mappings.split(';').map((text) => {
    let generated = 0;
    const found = [];
    for (const part of text ? text.split(',') : []) {
      const [step, ...rest] = segment(part);
      generated += step;
      if (rest.length < 3) continue;
      source += rest[0];
      line += rest[1];
      column += rest[2];
      found.push([generated, source, line, column]);
    }
    return found;
  });
}

/**
 * Read a map. `find(line, column)` gives `{line, column, source}` or undefined; `text(name)` the
 * source of that name, if the map contains it. Throws when the map is broken.
 * @param {SourceMap} map
 */
export function readMap(map) {
  const lines = decode(map.mappings ?? '');
  return {
    /**
     * @param {number} line
     * @param {number} column
     */
    find(line, column) {
      // columns go in and come out as V8 gives them, from 1: the map has every token
      // (docs/spec/runtime.md 8.4)
      const before = (lines[line - 1] ?? []).filter(([start]) => start <= column);
      const found = before.at(-1);
      if (found === undefined) return undefined;
      return { line: found[2] + 1, column: found[3], source: map.sources?.[found[1]] };
    },
    /** @param {string} name */
    text(name) {
      const index = (map.sources ?? []).indexOf(name);
      const content = index < 0 ? undefined : map.sourcesContent?.[index];
      return typeof content === 'string' ? content : undefined;
    },
  };
}
