// Secrets of a run's credentials, replaced in everything for people that leaves this process:
// log lines, error messages and details. State is not touched: it must carry what it carries.
//
// Which values count follows spec/platform.md 4.7; beside each value its base64, URL-encoded and
// JSON-escaped form, and the base64 of `user:password` pairs (basic authentication).

export const MASK = '***';
/** Shorter values are only secret under a key that says so: `1` would blank every log. */
const SHORTEST = 4;
/** Pairs grow with the square of this. */
const PAIRED = 24;
const PUBLIC_KEYS = new Set([
  'account', 'apiurl', 'apiversion', 'baseurl', 'database', 'email', 'host', 'hosturl',
  'instanceurl', 'loginurl', 'user', 'username',
  // what the worker adds to every step for Collections; only the token of it is secret
  'collections_endpoint', 'project_id',
]);
const SAYS_SECRET = /secret|passw|token/;

const base64 = (text) => Buffer.from(text, 'utf8').toString('base64');
const replace = Function.prototype.call.bind(String.prototype.replace);

export class Secrets {
  #samples = new Set();
  #bodies = [];
  #pattern;

  /** Know the leaf values of one credential. Values already known cost nothing. */
  add(body) {
    if (typeof body !== 'object' || body === null) return;
    const before = this.#samples.size;
    this.#collect(body);
    this.#bodies.push({ user: body.username, email: body.email, password: body.password });
    if (this.#samples.size !== before) this.#pattern = undefined;
  }

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
    for (const sample of samples) {
      const escaped = JSON.stringify(sample).slice(1, -1);
      forms.add(sample).add(base64(sample)).add(escaped);
      try {
        forms.add(encodeURIComponent(sample)).add(encodeURIComponent(sample).replace(/%20/g, '+'));
      } catch {
        // a lone surrogate has no URL form
      }
    }
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
      const forms = this.#forms().map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
      this.#pattern = forms.length > 0 ? new RegExp(forms.join('|'), 'g') : null;
    }
    return this.#pattern;
  }

  /** `text` with every secret replaced. */
  scrub(text) {
    const pattern = this.#compiled;
    return pattern === null ? text : replace(text, pattern, MASK);
  }

  /** A number, unless it is the digits of a secret. */
  scrubNumber(number) {
    return this.#samples.has(String(number)) ? MASK : number;
  }

  /** A JSON value with every secret in its texts, keys and numbers replaced. */
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
