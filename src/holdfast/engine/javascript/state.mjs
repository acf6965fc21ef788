// State between steps. It is kept as text, and as a value only while a step needs it
// (docs/spec/runtime.md 2.2, 2.3, 2.5).

import { Fault, describe, invalid, messageOf, stateTooLarge } from './faults.mjs';
import { collectGarbage } from './internals.mjs';
import { lostIn } from './facts.mjs';
import { byteLength, largestKey, parse, stringify } from './serialise.mjs';

/** @import { Logger } from './log.mjs' */

const MEBIBYTE = 1024 * 1024;
/** From this size on (characters), the earlier state is released before the next one is made. */
const COLLECTED_FROM = 8 * MEBIBYTE;
/** Characters of a key that are shown. */
const KEY_SHOWN = 200;

/**
 * One JSON document for several readers. It is kept as text, so that a large state exists once. The
 * last reader gets the parsed value itself, if there is one.
 */
export class Document {
  /**
   * @param {string} text
   * @param {number} [bytes]
   */
  constructor(text, bytes = byteLength(text)) {
    this.text = text;
    this.bytes = bytes;
    /** @type {any} */
    this.value = undefined;
    /** How many will still read it: steps, and the final state if it is part of that. */
    this.readers = 0;
    /**
     * What is sent instead, if it is too large.
     * @type {ReturnType<typeof withholding>}
     */
    this.withheld = undefined;
    /**
     * Its id on the platform.
     * @type {string | undefined}
     */
    this.clip = undefined;
    /**
     * JSON text of the answer to a webhook in it.
     * @type {string | undefined}
     */
    this.response = undefined;
  }

  /** The value for reading only: all callers share it. */
  peek() {
    this.value ??= parse(this.text);
    return this.value;
  }

  /** A value that the caller owns. The last reader gets the shared one, and the text is released. */
  take() {
    this.readers -= 1;
    if (this.readers > 0) return parse(this.text);
    const large = this.text.length >= COLLECTED_FROM;
    if (large && this.value === undefined) collectGarbage(); // of the step before
    const value = this.value ?? parse(this.text);
    // a large state is not also kept as text while the step runs
    this.value = undefined;
    this.text = '';
    if (large) collectGarbage();
    return value;
  }

  /** The text, for a reader in another process. The last reader takes it. */
  hand() {
    const { text } = this;
    this.readers -= 1;
    if (this.readers <= 0) this.text = '';
    return text;
  }

  /** Write the text anew, after code may have changed the value. */
  refresh() {
    if (this.value === undefined) return;
    this.text = stringify(this.value) ?? 'null';
    this.bytes = byteLength(this.text);
  }
}

/**
 * The state that a job starts with. `input`: a value that it may change, or undefined.
 * @param {any} input
 * @param {{ state?: any }} step
 * @param {Bag | undefined} configuration
 * @param {Bag | undefined} credentials
 * @returns {Bag}
 */
export function assemble(input, step, configuration, credentials) {
  const defaults = step.state ?? {};
  /** @type {Bag} */
  const state = { ...defaults, ...input };
  state.configuration = { ...credentials, ...input?.configuration, ...configuration };
  state.data = isKept(input?.data) ? input.data : { ...defaults.data, ...input?.data };
  return state;
}

/**
 * Whether data replaces other data whole: a list, or anything truthy that is not an object.
 * @param {unknown} data
 */
function isKept(data) {
  return Array.isArray(data) || (Boolean(data) && typeof data !== 'object');
}

/** Turns the result of a step into a document: measures, strips, writes. Raises a Fault. */
export class Cleaner {
  /** @param {{ remove: string[], limitMb: number, log: Logger }} given */
  constructor({ remove, limitMb, log }) {
    this.remove = remove;
    this.limitMb = limitMb;
    this.log = log;
  }

  /**
   * The document of a result, or undefined for "no result". With a fault, the document of a
   * failed step: its state, with the fault recorded under the step's id. `note` is told what JSON
   * makes nothing of.
   * @param {any} result
   * @param {Fault} [fault]
   * @param {string} [id]
   * @param {Note} [note]
   */
  document(result, fault, id, note = () => {}) {
    try {
      const whole = fault?.severity === 'fail' ? withError(result, String(id), fault) : result;
      return this.#document(whole, note);
    } catch (error) {
      const fault = error instanceof Fault ? error
        : invalid('InvalidResultError', `the state cannot be read: ${describe(error)}`,
          'A proxy or a getter in state throws');
      this.log.error('Critical error processing state: ', fault.message);
      throw fault;
    }
  }

  /**
   * @param {any} result
   * @param {Note} note
   * @returns {Document | undefined}
   */
  #document(result, note) {
    if (!result) return undefined;
    if (typeof result === 'function') {
      throw invalid('InvalidResultError', 'the last operation returned a function, not state',
        'An operation was returned instead of being called with state: write op(...)(state)');
    }
    if (atLeast(result, this.limitMb * MEBIBYTE)) throw this.#tooLarge(this.limitMb * MEBIBYTE);
    const { kept, ...removed } = this.#strip(result);
    for (const lost of lostIn(kept)) note({ what: 'lost', ...lost });
    const text = this.#write(kept, note);
    if (text === undefined || text === 'null') return this.#unwritable(result);
    if (!text.startsWith('{')) note({ what: 'not_object', kind: Array.isArray(kept) ? 'list' : typeof kept });
    const document = new Document(text);
    if (result.webhookResponse) document.response = this.#write(result.webhookResponse);
    this.#check(document.bytes + removed.bytes);
    this.log.debug(`State object serializes to ${document.bytes < MEBIBYTE ? 'less than 1mb'
      : `${(document.bytes / MEBIBYTE).toFixed(2)}mb`}`);
    if (removed.keys.length > 0) {
      this.log.debug(`Cleaning up state. Removing keys: ${removed.keys.join(', ')}`);
    }
    return document;
  }

  /**
   * A symbol, or an object whose `toJSON` gives undefined, is no result. A log line says so.
   * @param {unknown} result
   */
  #unwritable(result) {
    this.log.warn(`WARNING: the step returned a value that JSON has no form for (${typeof result}); `
      + 'it counts as no state');
    return undefined;
  }

  /**
   * Delete the keys that must not leave the step. Returns which, how large they were, and what is
   * kept: the result itself, or a copy if the result is frozen.
   * @param {any} result
   */
  #strip(result) {
    /** @type {{ keys: string[], bytes: number, kept: any }} */
    const removed = { keys: [], bytes: 0, kept: result };
    if (typeof result !== 'object') return removed;
    for (const key of this.remove) {
      if (!Object.hasOwn(result, key)) continue;
      removed.keys.push(key);
      if (this.limitMb > 0) {
        const text = this.#write(result[key]) ?? '';
        removed.bytes += byteLength(text) + byteLength(key) + 4; // quotes, colon, comma
      }
      if (Reflect.deleteProperty(removed.kept, key)) continue;
      removed.kept = { ...removed.kept };
      delete removed.kept[key];
    }
    return removed;
  }

  /**
   * @param {unknown} value
   * @param {Note} [note]
   */
  #write(value, note = () => {}) {
    try {
      return stringify(value, () => this.log.warn(
        'WARNING: state contains BigInt values; they are kept as text'),
      (path) => note({ what: 'circular', path }));
    } catch (error) {
      throw invalid('InvalidResultError', `the state cannot be written as JSON: ${messageOf(error)}`,
        'A getter or toJSON of a value in state throws, or the state is nested too deeply');
    }
  }

  /** @param {number} bytes */
  #check(bytes) {
    if (!(this.limitMb > 0) || bytes <= this.limitMb * MEBIBYTE) return;
    throw this.#tooLarge(bytes);
  }

  /** @param {number} bytes */
  #tooLarge(bytes) {
    const size = `${(bytes / MEBIBYTE).toFixed(2)}mb`;
    this.log.info(`state object exceeds limit ${this.limitMb} (${size})`);
    return stateTooLarge(this.limitMb);
  }
}

/** How many values are examined before the text is written; enough to find the largest part. */
const GLANCE = 10_000;

/**
 * Whether the JSON text of `value` is certainly longer than `limit`, by a quick estimate. So a state
 * that is far too large is refused before its text takes memory.
 * @param {unknown} value
 * @param {number} limit
 */
function atLeast(value, limit) {
  if (!(limit > 0)) return false;
  const seen = new Set();
  /** @type {any[]} */
  const waiting = [value];
  for (let bytes = 0; waiting.length > 0 && seen.size < GLANCE;) {
    const item = waiting.pop();
    if (typeof item === 'string') bytes += item.length;
    if (bytes > limit) return true;
    if (typeof item !== 'object' || item === null || seen.has(item)) continue;
    seen.add(item);
    // accessors and toJSON may do anything, so they are not called here
    if (typeof item.toJSON === 'function' || ArrayBuffer.isView(item)) continue;
    for (const key of Object.keys(item).slice(0, GLANCE)) {
      const own = Object.getOwnPropertyDescriptor(item, key);
      if (own && 'value' in own) waiting.push(own.value);
    }
  }
  return false;
}

/**
 * The state of a failed step with the error in it; a copy if the state cannot be changed.
 * @param {any} state
 * @param {string} id
 * @param {Fault} fault
 */
function withError(state, id, fault) {
  const known = state?.errors;
  const errors = typeof known === 'object' && known !== null && !Array.isArray(known) ? known : {};
  const all = { ...errors, [id]: fault };
  return Reflect.set(state, 'errors', all) ? state : { ...state, errors: all };
}

/**
 * What is sent instead of a document that is too large, or undefined if it is not.
 * @param {Document} document
 * @param {number | undefined} limitMb
 */
export function withholding(document, limitMb) {
  if (limitMb === undefined || document.bytes <= limitMb * MEBIBYTE) return undefined;
  return {
    withheld: 'DATACLIP_TOO_LARGE',
    bytes: document.bytes,
    largest_key: largestKey(parse(document.text))?.slice(0, KEY_SHOWN) ?? null,
  };
}

