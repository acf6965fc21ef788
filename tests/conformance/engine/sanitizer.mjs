// The reference's policies for objects in log lines, which its worker never sets
// (docs/spec/runtime.md 6.5).

import { Renderer, isError } from './render.mjs';

/** @import { Secrets } from './secrets.mjs' */

export class Sanitizer extends Renderer {
  /**
   * @param {Secrets} secrets
   * @param {number} limit
   * @param {string | undefined} policy `remove`, `obfuscate`, `summarize`, or none of them
   */
  constructor(secrets, limit, policy) {
    super(secrets, limit);
    this.policy = policy;
  }

  /**
   * @param {any} value
   * @param {boolean} alone
   */
  item(value, alone) {
    if (typeof value !== 'object' || value === null || isError(value)) return super.item(value, alone);
    const list = Array.isArray(value);
    if (this.policy === 'remove') return alone ? undefined : null;
    if (this.policy === 'obfuscate') return list ? '[array]' : '[object]';
    if (this.policy === 'summarize') return summary(value, list);
    return super.item(value, alone);
  }
}

/**
 * @param {any} value
 * @param {boolean} list
 */
function summary(value, list) {
  if (list) return value.length ? `(array with ${value.length} items)` : '(empty array)';
  const keys = Object.keys(value).sort();
  return keys.length ? `(object with keys ${keys.join(', ')})` : '(empty object)';
}
