// A step's operations, one after the other (docs/spec/runtime.md section 3).

import { types } from 'node:util';

import { duration, milliseconds } from './clock.mjs';
import { invalid, timedOut } from './faults.mjs';
import { copy } from './serialise.mjs';

/**
 * @import { Logger } from './log.mjs'
 *
 * @typedef {(state: any) => any} Call
 */

/**
 * Marks the empty object that replaces a missing result of an operation. It is a property, not an
 * identity, so that a copy that an adaptor's `execute` makes is still marked.
 */
const MISSING = Symbol('no state');

/** @param {unknown} value */
const isMissing = (value) => typeof value === 'object' && value !== null
  && !types.isProxy(value) && Object.hasOwn(value, MISSING);

/**
 * Raise a crash if the module's exports differ from what the compiler makes.
 * @param {unknown} operations
 */
function check(operations) {
  if (!Array.isArray(operations)) {
    throw invalid('InvalidExportsError',
      'Invalid exports in job expression: exports must be an array',
      'Ensure job code has been compiled before calling the runtime');
  }
  operations.forEach((/** @type {unknown} */ operation, /** @type {number} */ index) => {
    if (typeof operation === 'function') return;
    throw invalid('InvalidOperationError', `Invalid operation at statement ${index}`,
      'Ensure all top-level function or method calls are wrapped in an operation, like fn()');
  });
}

export class Operations {
  /**
   * `onOperation(number)` is told before each operation starts, `onNothing(number)` of one that
   * returned no state; `immutable`: each gets a copy.
   * @param {Bag} namespace
   * @param {{
   *   log: Pick<Logger, 'debug' | 'warn' | 'error'>, immutable?: boolean,
   *   onOperation: (number: number) => void, onNothing?: (number: number, value: unknown) => void,
   * }} given
   */
  constructor(namespace, { log, immutable, onOperation, onNothing = () => {} }) {
    this.log = log;
    this.immutable = immutable;
    this.onOperation = onOperation;
    this.onNothing = onNothing;
    /** @type {{ error: unknown, number: number } | undefined} */
    this.failed = undefined;
    /**
     * The operation that is running, or that failed, and the state it got.
     * @type {{ number: number, state: unknown } | undefined}
     */
    this.at = undefined;
    /** @type {Call[]} */
    const operations = namespace.default;
    check(operations);
    this.count = operations.length;
    const wrapped = operations.map((operation, index) => this.#wrap(operation, index + 1));
    log.debug(`Executing expression (${wrapped.length} operations)`);
    this.reducer = reducerOf(namespace.execute, wrapped);
  }

  /**
   * Number of the operation that threw `error`; undefined when none did.
   * @param {unknown} error
   */
  thrower(error) {
    return this.failed && Object.is(this.failed.error, error) ? this.failed.number : undefined;
  }

  /**
   * Run to the end; the result, or undefined when there is none. `limit` in ms, 0 for none.
   * @param {any} state
   * @param {number} [limit]
   */
  async run(state, limit) {
    const { reducer } = this; // called as a function, so that no `this.` stands in the stack
    if (!limit) return this.#result(await reducer(state));
    this.log.debug(`Timeout set to ${limit}ms`);
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const expiry = new Promise((_, reject) => {
      timer = setTimeout(() => {
        this.log.error(`Error: Timeout expired (${limit}ms)`);
        reject(timedOut(limit));
      }, limit);
    });
    try {
      return this.#result(await Promise.race([reducer(state), expiry]));
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param {unknown} value */
  #result(value) {
    return isMissing(value) ? undefined : value;
  }

  /**
   * @param {Call} operation
   * @param {number} number
   */
  #wrap(operation, number) {
    return async (/** @type {any} */ given) => {
      this.log.debug(`Starting operation ${number}`);
      this.onOperation(number);
      if (isMissing(given)) {
        Reflect.deleteProperty(given, MISSING);
        this.log.warn(`WARNING: No state was passed into operation ${number}. `
          + 'Did the previous operation return state?');
      }
      const started = milliseconds();
      let result;
      this.at = { number, state: given };
      try {
        result = await operation(this.immutable ? copy(given) : given);
      } catch (error) {
        this.failed = { error, number };
        throw error;
      }
      this.at = undefined;
      const state = result || this.#nothing(number, result);
      this.log.debug(`Operation ${number} complete in ${duration(milliseconds() - started)}`);
      return state;
    };
  }

  /**
   * What the next operation gets when this one returned nothing: an empty object.
   * @param {number} number
   * @param {unknown} result
   */
  #nothing(number, result) {
    this.log.debug(`Warning: operation ${number} did not return state`);
    this.onNothing(number, result);
    if (result !== undefined) {
      this.log.warn(`WARNING: operation ${number} returned ${result === '' ? "''" : result}, `
        + 'which counts as no state');
    }
    return { [MISSING]: true };
  }
}

/**
 * @param {unknown} execute
 * @param {Call[]} operations
 * @returns {Call}
 */
function reducerOf(execute, operations) {
  if (!execute) {
    return async (state) => {
      let result = state;
      // the author's own list may have holes; they are skipped
      for (const operation of operations.filter(() => true)) result = await operation(result);
      return result;
    };
  }
  // the text of the reference: jobs may compare it
  if (typeof execute !== 'function') {
    throw new TypeError('(execute || execute_default) is not a function');
  }
  const reducer = execute(...operations);
  if (typeof reducer !== 'function') throw new TypeError('reducer is not a function');
  return reducer;
}
