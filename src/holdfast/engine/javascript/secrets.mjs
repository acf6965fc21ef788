// Secrets of a run's credentials, replaced in everything for people that leaves this process:
// log lines, error messages and details. State is not touched: it must carry what it carries.
//
// Which values count follows docs/spec/platform.md 4.7; beside each value its base64 (alone, inside a
// longer text, and of `user:password` pairs), hexadecimal, URL-encoded, JSON-escaped and HTML form.

export const MASK = '***';
/** Shorter values are only secret under a key that says so: `1` would blank every log. */
const SHORTEST = 4;
/** Pairs grow with the square of this. */
const PAIRED = 24;
const PUBLIC_KEYS = new Set([
  'account', 'apiurl', 'apiversion', 'baseurl', 'database', 'email', 'host', 'hosturl',
  'instanceurl', 'loginurl', 'user', 'username',
  // addresses too: a message that says where nothing answered must be of use
  'apipath', 'domain', 'port', 'server',
  // what the worker adds to every step for Collections; only the token of it is secret
  'collections_endpoint', 'project_id',
]);
const SAYS_SECRET = /secret|passw|token/;

/** Characters of base64 that say enough of a secret inside a longer text to be replaced. */
const INNER = 12;

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
  yield* [sample, JSON.stringify(sample).slice(1, -1), hex, hex.toUpperCase()];
  yield* bothAlphabets(bytes.toString('base64'));
  for (const shift of [0, 1, 2]) {
    const part = inside(bytes, shift);
    if (part.length >= INNER) yield* bothAlphabets(part);
  }
  yield* inMarkup(sample);
  try {
    yield* inAddresses(sample);
  } catch {
    // a lone surrogate has no URL form
  }
}

/** @param {string} text */
function bothAlphabets(text) {
  return [text, text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')];
}

/**
 * What base64 of a longer text always has of these bytes when they stand `shift` bytes into it.
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

export class Secrets {
  /** @type {Set<string>} */
  #samples = new Set();
  /** @type {{ user: unknown, email: unknown, password: unknown }[]} */
  #bodies = [];
  /** @type {RegExp | null | undefined} */
  #pattern;
  /** Characters of the longest form. */
  #longest = 0;

  /**
   * Know the leaf values of one credential. Values already known cost nothing.
   * @param {unknown} body
   */
  add(body) {
    if (typeof body !== 'object' || body === null) return;
    const before = this.#samples.size;
    this.#collect(body);
    const { username: user, email, password } = /** @type {Bag} */ (body);
    this.#bodies.push({ user, email, password });
    if (this.#samples.size !== before) this.#pattern = undefined;
  }

  /**
   * @param {unknown} value
   * @param {string} [key]
   */
  #collect(value, key = '') {
    if (typeof value === 'object' && value !== null) {
      for (const [name, item] of Object.entries(value)) {
        // items of a list stand under the key of the list
        this.#collect(item, Array.isArray(value) ? key : name.toLowerCase());
      }
      return;
    }
    const text = Number.isInteger(value) ? String(value) : value;
    if (typeof text !== 'string' || text === '' || PUBLIC_KEYS.has(key)) return;
    if (text.length >= SHORTEST || SAYS_SECRET.test(key)) this.#samples.add(text);
  }

  #forms() {
    const forms = new Set();
    const samples = [...this.#samples];
    for (const sample of samples) for (const form of encodings(sample)) forms.add(form);
    const paired = samples.slice(0, PAIRED);
    for (const a of paired) for (const b of paired) forms.add(base64(`${a}:${b}`));
    for (const { user, email, password } of this.#bodies) {
      if (typeof password !== 'string') continue;
      for (const name of [user, email]) {
        if (typeof name === 'string') forms.add(base64(`${name}:${password}`));
      }
    }
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
   * The same for the beginning of a longer text: its end may hold a part of a secret and goes.
   * @param {string} text
   */
  scrubStart(text) {
    const pattern = this.#compiled;
    if (pattern === null) return text;
    const scrubbed = replace(text, pattern, MASK);
    return scrubbed.slice(0, Math.max(0, scrubbed.length - this.#longest));
  }

  /**
   * A number, unless it is the digits of a secret.
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
