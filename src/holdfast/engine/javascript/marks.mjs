// `idempotent(name, operation)`: requests of the operation that may change something carry a key
// that is the same each time this work is tried again (docs/author.md, "The same thing only once").

import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * @import { Step } from './step.mjs'
 *
 * @typedef {{ method: string, host: string, path: string }} Place
 */

export const HEADER = 'idempotency-key';
/** Methods of requests that change nothing in the other system. */
const READS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
const KEY = /^idempotency-key:[ \t]*(.*?)[ \t]*\r?$/im;
/** Characters of a name. */
const MOST = 1000;

/**
 * What is executed now stands in a mark.
 * @type {AsyncLocalStorage<Mark>}
 */
const marked = new AsyncLocalStorage();

/** One execution of a marked operation. */
class Mark {
  /** Requests that carried its key. */
  carried = 0;

  /**
   * @param {Step} step
   * @param {string} name
   */
  constructor(step, name) {
    this.step = step;
    this.name = name;
  }

  /**
   * The key of a request: the same in each run of the work order, another for each work order, job,
   * name, method and address. In the form of a UUID (version 8), as receivers like it.
   * @param {Place} place
   */
  key({ method, host, path }) {
    const { run, plan } = this.step;
    const { meta, run_id: runId } = run.settings;
    const parts = [meta?.workOrderId ?? runId, plan.id, this.name, method, host, path.split('?', 1)[0]];
    const { createHash } = process.getBuiltinModule('node:crypto');
    const hash = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
    const [a, b, c, d, e] = [[0, 8], [8, 12], [13, 16], [17, 20], [20, 32]].map((at) => hash.slice(...at));
    return `${a}-${b}-8${c}-a${d}-${e}`;
  }
}

/**
 * The function that a step's code gets. Raises TypeError for arguments that it cannot use.
 * @param {Step} step
 */
export function marker(step) {
  return (/** @type {unknown[]} */ ...given) => {
    const [name, operation] = given;
    if (given.length !== 2 || typeof operation !== 'function') {
      throw new TypeError('idempotent takes a name and an operation: idempotent($.data.id, post(…))');
    }
    return async (/** @type {unknown} */ state) => {
      const said = await (typeof name === 'function' ? name(state) : name);
      const mark = new Mark(step, nameOf(said));
      const outer = marked.getStore();
      const result = await marked.run(mark, () => operation(state));
      if (outer !== undefined) outer.carried += mark.carried; // the inner mark's key was sent
      if (mark.carried === 0) step.noteHere('no_key');
      return result;
    };
  };
}

/** @param {unknown} said */
function nameOf(said) {
  if (typeof said === 'number' && Number.isFinite(said)) return String(said);
  if (typeof said === 'string' && said.trim() !== '' && said.length <= MOST) return said;
  const got = typeof said !== 'string' ? said === null ? 'null' : typeof said
    : said.length > MOST ? `${said.length} characters` : 'empty text';
  throw new TypeError(`idempotent needs a name: text of up to ${MOST} characters, or a number. It got ${got}`);
}

/**
 * Give a request that is being made the key of the mark that it stands in. One that has a key keeps
 * it. Returns the key that is sent, and whether it is the mark's.
 * @param {Bag} request of undici or node:http
 * @param {Place} place
 * @returns {{ key?: string, ours?: boolean }}
 */
export function keyed(request, place) {
  const own = keyOf(request);
  const mark = marked.getStore();
  if (mark === undefined || READS.has(place.method)) return { key: own };
  if (own !== undefined) {
    mark.carried += 1;
    return { key: own };
  }
  const key = mark.key(place);
  if (typeof request.addHeader === 'function') request.addHeader(HEADER, key);
  else if (request.headersSent) return {}; // its headers are fixed already
  else request.setHeader(HEADER, key);
  mark.carried += 1;
  return { key, ours: true };
}

/**
 * The key that a request has.
 * @param {Bag} request of undici or node:http
 * @returns {string | undefined}
 */
export function keyOf(request) {
  if (typeof request.getHeader === 'function') {
    // of headers that were given as a list node:http has the text only
    return text(request.getHeader(HEADER)) ?? KEY.exec(String(request._header ?? ''))?.[1];
  }
  const { headers } = request;
  if (typeof headers === 'string') return KEY.exec(headers)?.[1];
  if (!Array.isArray(headers)) return undefined;
  const at = headers.findIndex((name, index) => index % 2 === 0 && String(name).toLowerCase() === HEADER);
  return at < 0 ? undefined : text(headers[at + 1]);
}

/** @param {unknown} value */
const text = (value) => (value === undefined ? undefined : String(value));
