// Edge conditions: JavaScript expressions in one context of their own (docs/spec/runtime.md 1.7).

import vm from 'node:vm';

import { release } from './channel.mjs';

/**
 * A compiled condition. `test` raises what the author's text raises.
 *
 * @typedef {{
 *   text: string, test: (state: any, upstream: string) => unknown, mayChange: boolean,
 * }} Condition
 */

/** @type {Record<string, (state: any, upstream: string) => boolean>} */
const WORDS = {
  always: () => true,
  on_job_success: (state, upstream) => !state?.errors?.[upstream],
  on_job_failure: (state, upstream) => Boolean(state?.errors?.[upstream]),
};
WORDS.on_upstream_success = WORDS.on_job_success;
WORDS.on_upstream_fail = WORDS.on_job_failure;

/** Text that could change the state: assignments and methods that change their object. */
const CHANGES = new RegExp(
  '(?<![=!<>])=(?![=>])|\\+\\+|--|\\bdelete\\b|\\.\\s*(push|pop|shift|unshift|splice|sort|reverse|fill'
  + '|copyWithin|set|assign|defineProperty|defineProperties|setPrototypeOf)\\b',
);

export class Conditions {
  /** @type {vm.Context | undefined} */
  #context;
  #console;

  /** @param {object} console */
  constructor(console) {
    this.#console = console;
  }

  /**
   * `{text, test(state, upstreamStepId), mayChange}`. Raises SyntaxError.
   * @param {string} text
   * @returns {Condition}
   */
  compile(text) {
    if (Object.hasOwn(WORDS, text)) return { text, test: WORDS[text], mayChange: false };
    const params = ['state', 'upstreamStepId'];
    const own = vm.compileFunction(`return ${text}`, params, {
      parsingContext: this.#scope(),
      filename: 'vm:condition',
    });
    /** @type {Condition['test']} */
    const test = (...values) => {
      release();
      return own(...values);
    };
    return { text, test, mayChange: CHANGES.test(text) };
  }

  /** One context for all conditions of a plan, made when the first needs it. */
  #scope() {
    this.#context ??= vm.createContext(
      { console: this.#console },
      { codeGeneration: { strings: false, wasm: false } },
    );
    return this.#context;
  }
}
