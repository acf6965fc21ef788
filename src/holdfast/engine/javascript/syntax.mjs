/**
 * What V8 says about the syntax of a job, with line and column.
 *
 * A program cannot read the position of a module's SyntaxError: Node keeps it in a private symbol,
 * for printing. So the process must be started with `--experimental-vm-modules --expose-internals`.
 * Without the latter, the answer is the same but the position is unknown.
 */
import vm from 'node:vm';

import { internalBinding } from './internals.mjs';

const arrowMessage = internalBinding?.('util').privateSymbols.arrow_message_private_symbol;
/** Node cuts the line of carets at this length; beyond it the column is unknown. */
const CARETS = 1020;

/**
 * Check the syntax of a module. None of it runs.
 * Returns null, or what is wrong: line and column count from 1 (UTF-16 units), null if unknown.
 * @param {string} text
 * @returns {Verdict | null}
 */
export function checkSyntax(text) {
  try {
    new vm.SourceTextModule(text, { identifier: 'job' });
    return null;
  } catch (error) {
    if (error instanceof RangeError) {
      return { message: 'the code is nested too deeply', line: null, column: null };
    }
    return { message: String(/** @type {Error} */ (error)?.message ?? error), ...position(error) };
  }
}

/** @param {any} error */
function position(error) {
  const shown = arrowMessage === undefined ? undefined : error?.[arrowMessage];
  if (typeof shown !== 'string') return { line: null, column: null };
  const end = shown.indexOf('\n');
  const line = Number(shown.slice(shown.lastIndexOf(':', end) + 1, end));
  const carets = shown.trimEnd() === shown ? shown : shown.slice(0, shown.lastIndexOf('\n'));
  const last = carets.slice(carets.lastIndexOf('\n') + 1);
  const at = last.includes('^') ? last.indexOf('^') : last.length;
  return { line: Number.isInteger(line) ? line : null, column: at < CARETS ? at + 1 : null };
}
