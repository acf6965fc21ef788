// Replaces the secrets of a run's credentials in everything that people read: log lines, error
// messages and details. State stays as it is, because the next step needs it.
//
// Which values count, and in which forms: secretrules.json, described and read by `model/secrets.py`,
// too. `tests/support/secret_vectors.json` holds both to the same results.

import rules from './secretrules.json' with { type: 'json' };

const MASK = rules.mask;
const OPEN_KEYS = new Set(rules.open_keys);

/** @param {string} text */
const base64 = (text) => Buffer.from(text, 'utf8').toString('base64');
/** @type {(text: string, pattern: RegExp, by: string) => string} */
const replace = Function.prototype.call.bind(String.prototype.replace);

/**
 * A secret as it is and as programs write it.
 * @param {string} sample
 */
function* encodings(sample) {
  const bytes = Buffer.from(sample, 'utf8');
  const hex = bytes.toString('hex');
  const escaped = JSON.stringify(sample).slice(1, -1);
  yield* [sample, hex, hex.toUpperCase(), escaped, escaped.replace(/[^\0-\x7f]/g, inAscii)];
  yield* bothAlphabets(bytes.toString('base64'));
  for (const shift of [0, 1, 2]) {
    const part = inside(bytes, shift);
    if (part.length >= rules.inner) yield* bothAlphabets(part);
  }
  yield* inMarkup(sample);
  try {
    yield* inAddresses(sample);
  } catch {
    // a lone surrogate has no URL form
  }
}

/** @param {string} unit */
function inAscii(unit) {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** @param {string} text */
function bothAlphabets(text) {
  return [text, text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')];
}

/**
 * The characters that base64 of any text has for these bytes if they begin at byte `shift` of it.
 * @param {Buffer} bytes
 * @param {number} shift
 */
function inside(bytes, shift) {
  const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64').replace(/=+$/, '');
  const whole = Math.floor(((shift + bytes.length) * 8) / 6);
  return text.slice(Math.ceil((shift * 8) / 6), whole);
}

/** @param {string} sample */
function inAddresses(sample) {
  const once = encodeURIComponent(sample);
  const lower = once.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
  const form = once.replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  const plus = (/** @type {string} */ text) => text.replaceAll('%20', '+');
  return [once, lower, form, plus(once), plus(lower), plus(form), encodeURI(sample),
    encodeURIComponent(once)];
}

/** @param {string} sample */
function inMarkup(sample) {
  const text = sample.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const quoted = text.replaceAll('"', '&quot;');
  return [text, quoted, quoted.replaceAll("'", '&#39;'), quoted.replaceAll("'", '&apos;')];
}

/**
 * The leaf values of a credential that are secret.
 * @param {unknown} value
 * @param {string} key in lower case
 * @returns {Generator<string>}
 */
function* samplesOf(value, key) {
  if (typeof value === 'object' && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      // items of a list count under the key of the list
      yield* samplesOf(item, Array.isArray(value) ? key : name.toLowerCase());
    }
    return;
  }
  const text = Number.isInteger(value) ? String(value) : value;
  if (typeof text !== 'string' || text === '') return;
  yield* beforeHost(text);
  if (OPEN_KEYS.has(key)) return;
  if (text.length >= rules.shortest || saysSecret(key)) yield text;
}

/**
 * Name and password of an address, and the password; a name alone is a token.
 * @param {string} text
 */
function* beforeHost(text) {
  const before = /:\/\/([^/?#\s]+)@/.exec(text)?.[1];
  if (before === undefined) return;
  for (const part of new Set([before, before.slice(before.indexOf(':') + 1) || before])) {
    yield part;
    try {
      const plain = decodeURIComponent(part);
      if (plain !== part) yield plain;
    } catch {} // as it is
  }
}

/** @param {string} key */
function saysSecret(key) {
  return rules.short_key_parts.some((part) => key.includes(part));
}

/**
 * @param {Bag} body
 * @returns {string[]}
 */
function namesOf(body) {
  return rules.name_keys.map((key) => body[key]).filter((name) => typeof name === 'string' && name);
}

/**
 * All texts that would reveal a secret of one credential.
 * @param {Known} known
 */
function* formsOf({ samples, names }) {
  for (const sample of samples) yield* encodings(sample);
  const paired = samples.slice(0, rules.paired);
  for (const a of paired) for (const b of paired) yield* bothAlphabets(base64(`${a}:${b}`));
  for (const name of names) {
    for (const sample of samples) yield* bothAlphabets(base64(`${name}:${sample}`));
  }
}

/** @typedef {{ samples: string[], names: string[] }} Known */

export class Secrets {
  /** @type {Set<string>} */
  #samples = new Set();
  /**
   * What each credential has, by itself as text.
   * @type {Map<string, Known>}
   */
  #known = new Map();
  /** @type {RegExp | null | undefined} */
  #pattern;
  /** Characters of the longest form. */
  #longest = 0;

  /**
   * Add the leaf values of one credential. A known one costs nothing.
   * @param {unknown} body
   */
  add(body) {
    if (typeof body !== 'object' || body === null) return;
    const known = { samples: [...new Set(samplesOf(body, ''))], names: namesOf(body) };
    const text = JSON.stringify(known);
    if (known.samples.length === 0 || this.#known.has(text)) return;
    this.#known.set(text, known);
    for (const sample of known.samples) this.#samples.add(sample);
    this.#pattern = undefined;
  }

  #forms() {
    const forms = new Set();
    for (const known of this.#known.values()) for (const form of formsOf(known)) forms.add(form);
    return [...forms].sort((a, b) => b.length - a.length);
  }

  get #compiled() {
    if (this.#pattern === undefined) {
      const found = this.#forms();
      this.#longest = found[0]?.length ?? 0;
      const forms = found.map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
      this.#pattern = forms.length > 0 ? new RegExp(forms.join('|'), 'g') : null;
    }
    return this.#pattern;
  }

  /**
   * `text` with every secret replaced.
   * @param {string} text
   */
  scrub(text) {
    const pattern = this.#compiled;
    return pattern === null ? text : replace(text, pattern, MASK);
  }

  /**
   * The same for the beginning of a longer text. Its end is cut, as it may be a part of a secret.
   * @param {string} text
   */
  scrubStart(text) {
    const pattern = this.#compiled;
    if (pattern === null) return text;
    const scrubbed = replace(text, pattern, MASK);
    return scrubbed.slice(0, Math.max(0, scrubbed.length - this.#longest));
  }

  /**
   * A number, or a replacement if its digits are a secret.
   * @param {number} number
   */
  scrubNumber(number) {
    return this.#samples.has(String(number)) ? MASK : number;
  }

  /**
   * A JSON value with every secret in its texts, keys and numbers replaced.
   * @param {any} value
   * @returns {any}
   */
  scrubValue(value) {
    if (this.#compiled === null) return value;
    if (typeof value === 'string') return this.scrub(value);
    if (typeof value === 'number') return this.scrubNumber(value);
    if (Array.isArray(value)) return value.map((item) => this.scrubValue(item));
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value);
    return Object.fromEntries(entries.map(([key, item]) => [this.scrub(key), this.scrubValue(item)]));
  }
}
