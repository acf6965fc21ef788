// A logged value as JSON that says something useful, whatever it is (docs/spec/runtime.md 6.5,
// docs/compatibility.md 4). Never throws, never hangs, never keeps the value.

import { types } from 'node:util';

/** @import { Secrets } from './secrets.mjs' */

/** Entries and characters rendered of one value before the rest is cut. */
const MOST_NODES = 100_000;
const DEEPEST = 100;
/** Characters kept of a text that does not fit into a line. */
const KEPT_CHARACTERS = 8192;
/** Bytes of a Buffer that are listed. */
const MOST_BYTES = 1024;

const { toString: functionText } = Function.prototype;

export class Renderer {
  /**
   * `limit`: bytes of one line; `secrets`: replaced in every text.
   * @param {Secrets} secrets
   * @param {number} limit
   */
  constructor(secrets, limit) {
    this.secrets = secrets;
    this.limit = limit;
    this.nodes = 0;
  }

  /**
   * One argument of a console call as a JSON value; undefined if it is to be left out.
   * @param {any} value
   * @param {boolean} alone
   * @returns {Json | undefined}
   */
  item(value, alone) {
    this.nodes = 0;
    switch (typeof value) {
      case 'string':
        return this.text(value);
      case 'number':
        return Number.isFinite(value) ? this.secrets.scrubNumber(value) : String(value);
      case 'boolean':
        return value;
      case 'undefined':
        return alone ? 'undefined' : null;
      case 'object':
        if (value === null) return alone ? undefined : null;
        break;
      default:
        return this.special(value);
    }
    try {
      return this.object(value);
    } catch (error) {
      return `[cannot be shown: ${this.text(safeMessage(error))}]`;
    }
  }

  /** @param {string} value */
  text(value) {
    if (value.length <= KEPT_CHARACTERS || value.length <= this.limit) {
      return this.secrets.scrub(value);
    }
    const kept = Math.min(KEPT_CHARACTERS, Math.floor(this.limit));
    // scrub before cutting, or the cut could go through a secret and leave a part of it
    const start = this.secrets.scrubStart(value.slice(0, kept + KEPT_CHARACTERS)).slice(0, kept);
    return `${start}… [cut: ${value.length} characters in all]`;
  }

  /**
   * @param {any} value
   * @returns {Json}
   */
  object(value) {
    if (isError(value)) return this.error(value, new Set());
    return this.walk(Array.isArray(value) ? value : withMaskedConfiguration(value), new Set());
  }

  /**
   * Function, symbol or BigInt.
   * @param {any} value
   */
  special(value) {
    if (typeof value === 'bigint') return this.text(`${value}n`);
    if (typeof value === 'symbol') return this.text(String(value));
    let name = '', isClass = false;
    try {
      name = typeof value.name === 'string' ? value.name : '';
      isClass = /^class\b/.test(functionText.call(value));
    } catch {
      // a revoked proxy: neither name nor text can be had
    }
    return this.text(isClass ? `[class ${name || '(anonymous)'}]` : `[Function: ${name || '(anonymous)'}]`);
  }

  /**
   * @param {any} value
   * @param {Set<object>} above
   * @returns {Json}
   */
  walk(value, above) {
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'number') {
      return Number.isFinite(value) ? this.secrets.scrubNumber(value) : null;
    }
    if (typeof value === 'bigint') return this.special(value);
    if (typeof value !== 'object' || value === null) {
      return typeof value === 'boolean' ? value : null;
    }
    if (above.has(value)) return '[Circular]';
    if (++this.nodes > MOST_NODES || above.size >= DEEPEST) return '[…]';
    above.add(value);
    try {
      return this.known(value, above) ?? this.members(value, above);
    } finally {
      above.delete(value);
    }
  }

  /**
   * Objects with a form of their own; undefined for the rest.
   * @param {any} value
   * @param {Set<object>} above
   * @returns {Json | undefined}
   */
  known(value, above) {
    if (types.isProxy(value)) return undefined;
    if (isError(value)) return this.error(value, above);
    if (types.isDate(value)) return Number.isNaN(+value) ? 'Invalid Date' : value.toISOString();
    if (types.isBoxedPrimitive(value)) return this.walk(value.valueOf(), above);
    if (types.isRegExp(value)) return this.text(String(value));
    if (types.isMap(value)) return { '[Map]': this.list([...value], above) };
    if (types.isSet(value)) return { '[Set]': this.list([...value], above) };
    if (types.isPromise(value)) return '[Promise]';
    if (types.isWeakMap(value) || types.isWeakSet(value)) return '[Weak collection]';
    if (types.isAnyArrayBuffer(value)) return `[ArrayBuffer: ${value.byteLength} bytes]`;
    if (ArrayBuffer.isView(value) && value.byteLength > MOST_BYTES) {
      return `[${value.constructor?.name ?? 'Buffer'}: ${value.byteLength} bytes]`;
    }
    return undefined;
  }

  /**
   * @param {any} value
   * @param {Set<object>} above
   * @returns {Json}
   */
  members(value, above) {
    if (Array.isArray(value)) return this.list(value, above);
    if (typeof value.toJSON === 'function') return this.walk(value.toJSON(), above);
    /** @type {Record<string, Json>} */
    const result = {};
    for (const key of Object.keys(value)) {
      if (this.nodes > MOST_NODES) {
        result['…'] = 'the rest is cut';
        break;
      }
      let item;
      try {
        item = value[key];
      } catch (error) {
        result[key] = `[cannot be read: ${this.text(safeMessage(error))}]`;
        continue;
      }
      // as in JSON, functions and the like are left out
      if (item === undefined || typeof item === 'function' || typeof item === 'symbol') continue;
      this.nodes += 1;
      setOwn(result, this.secrets.scrub(key), this.walk(item, above));
    }
    return result;
  }

  /**
   * @param {any[]} items
   * @param {Set<object>} above
   * @returns {Json[]}
   */
  list(items, above) {
    /** @type {Json[]} */
    const result = [];
    for (const item of items) {
      if (++this.nodes > MOST_NODES) {
        result.push(`… ${items.length - result.length} more`);
        break;
      }
      result.push(this.walk(item, above));
    }
    return result;
  }

  /**
   * @param {any} value
   * @param {Set<object>} above
   * @returns {Json}
   */
  error(value, above) {
    above.add(value);
    /** @type {Record<string, Json>} */
    const shown = {
      name: this.text(String(value.name ?? 'Error')),
      message: this.text(safeMessage(value) || String(value)),
    };
    if (value.cause !== undefined) shown.cause = this.walk(value.cause, above);
    if (Array.isArray(value.errors)) shown.errors = this.list(value.errors, above);
    return shown;
  }
}

/**
 * Define a key even when it is `__proto__`.
 * @param {object} target
 * @param {string} key
 * @param {unknown} value
 */
function setOwn(target, key, value) {
  Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
}

/**
 * An error of any realm: job code has its own classes.
 * @param {unknown} value
 */
export function isError(value) {
  return types.isNativeError(value) || value instanceof Error;
}

/** @param {any} error */
function safeMessage(error) {
  try {
    return String(error?.message ?? error);
  } catch {
    return 'its message cannot be read';
  }
}

/**
 * A credential under the key `configuration` shows its keys only.
 * @param {any} value
 */
function withMaskedConfiguration(value) {
  const { configuration } = value;
  if (!configuration) return value;
  const long = typeof configuration === 'string' && configuration.length > KEPT_CHARACTERS;
  const hidden = long ? '****'
    : Object.fromEntries(Object.keys(configuration).map((key) => [key, '****']));
  return { ...value, configuration: hidden };
}
