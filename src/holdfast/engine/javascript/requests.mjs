// Every request of a run through Node.js or undici, told to the journal when it is made, when it
// leaves on a connection, and when it ends (docs/journal.md, REQUEST). What leaves by another way is seen by the broker only.

import channels from 'node:diagnostics_channel';

import { milliseconds } from './clock.mjs';
import { Exchanges } from './exchanges.mjs';
import { keyed, keyOf } from './marks.mjs';

/**
 * @import { Socket } from 'node:net'
 * @import { Run } from './run.mjs'
 * @import { Step } from './step.mjs'
 *
 * @typedef {{
 *   number: number, step: Step | undefined, operation: number | undefined,
 *   method: string, host: string, path: string, started: number, status?: number, bytes?: number,
 *   left?: true, key?: string, marked?: string,
 * }} Sent
 */

/** Requests of one run that are told one by one. */
const MOST = 1000;
const PATH = 300;

export class Requests {
  /** @param {Run} run */
  constructor(run) {
    this.run = run;
    this.count = 0;
    /** @type {Map<object, Sent>} */
    this.open = new Map();
    /**
     * Keys of marks whose requests were answered with success.
     * @type {Set<string>}
     */
    this.answered = new Set();
    /** Where the project agreed that answers are kept. */
    this.exchanges = run.settings.record ? new Exchanges(run.secrets) : undefined;
  }

  /** From here on every request of this process is this run's. */
  watch() {
    const { undici, node } = this.#listeners();
    for (const [name, listen] of [...undici, ...node]) {
      channels.subscribe(name, (message) => listen(message));
    }
  }

  /** @returns {Record<'undici' | 'node', [string, (message: any) => void][]>} */
  #listeners() {
    return {
      undici: [
        ['undici:request:create', ({ request }) => {
          this.exchanges?.followUndici(request);
          this.#made(request, {
            method: request.method, host: hostOf(request.origin), path: request.path,
            bytes: request.contentLength,
          });
        }],
        ['undici:client:sendHeaders', ({ request, socket }) => this.#left(request, socket)],
        ['undici:request:headers', ({ request, response }) => {
          this.exchanges?.headersOfUndici(request, response.headers);
          this.#status(request, response.statusCode);
        }],
        ['undici:request:trailers', ({ request }) => this.#ended(request)],
        ['undici:request:error', ({ request, error }) => this.#ended(request, error)],
      ],
      node: [
        ['http.client.request.created', ({ request }) => {
          this.exchanges?.followNode(request);
          this.#made(request, {
            method: request.method, host: String(request.getHeader('host') ?? request.host),
            path: request.path, bytes: request.getHeader('content-length'),
          });
          request.once('socket', (/** @type {Socket} */ socket) => this.#onSocket(request, socket));
        }],
        ['http.client.response.finish', ({ request, response }) => {
          this.#status(request, response.statusCode);
          if (this.exchanges === undefined) this.#ended(request);
          else this.exchanges.answerOfNode(request, response, () => this.#ended(request));
        }],
        ['http.client.request.error', ({ request, error }) => this.#ended(request, error)],
      ],
    };
  }

  /**
   * Requests of a step that have no answer yet.
   * @param {Step} step
   */
  pending(step) {
    return [...this.open.values()].filter((sent) => sent.step === step);
  }

  /**
   * A request has its connection, or will have it.
   * @param {object} request
   * @param {Socket} socket
   */
  #onSocket(request, socket) {
    if (!socket.pending) this.#left(request, socket);
    else socket.once('connect', () => this.#left(request, socket));
  }

  /**
   * @param {object} request
   * @param {{ method: unknown, host: string, path: unknown, bytes: unknown }} what
   */
  #made(request, { method, host, path, bytes }) {
    const { run } = this;
    const step = run.active.getStore() ?? run.current;
    const { key, ours } = keyed(request, { method: String(method ?? 'GET'), host, path: String(path ?? '/') });
    this.count += 1;
    /** @type {Sent} */
    const sent = {
      number: this.count,
      step,
      operation: step?.operations?.at?.number,
      method: String(method ?? 'GET').slice(0, 20),
      host: run.secrets.scrub(host).slice(0, PATH),
      path: run.secrets.scrub(withoutValues(String(path ?? '/'))).slice(0, PATH),
      started: milliseconds(),
      bytes: Number(bytes) || undefined,
      key: this.#shown(key),
      marked: ours ? key : undefined,
    };
    if (sent.marked !== undefined && this.answered.has(sent.marked)) {
      step?.noteHere('key_again', { method: sent.method, host: sent.host, path: sent.path });
    }
    this.open.set(request, sent);
    if (sent.number <= MOST) this.#tell('made', sent, {});
  }

  /**
   * A request is written to its connection now: from here on it may be carried out.
   * @param {object} request
   * @param {Socket | undefined} socket
   */
  #left(request, socket) {
    const sent = this.open.get(request);
    if (sent === undefined || sent.left) return;
    sent.left = true;
    const key = keyOf(request); // node:http takes headers until now
    if (key !== sent.marked) sent.marked = undefined; // and the author gave it another one
    sent.key = this.#shown(key);
    if (sent.number > MOST) return;
    const { remoteAddress: address, remotePort: port } = socket ?? {};
    const host = address?.includes(':') ? `[${address}]` : address;
    this.#tell('sent', sent, { address: address && `${host}:${port}` });
  }

  /**
   * @param {object} request
   * @param {number} status
   */
  #status(request, status) {
    const sent = this.open.get(request);
    if (sent) sent.status = status;
  }

  /**
   * @param {object} request
   * @param {any} [error]
   */
  #ended(request, error) {
    const sent = this.open.get(request);
    if (sent === undefined) return;
    this.open.delete(request);
    const { marked, status = 0 } = sent;
    if (marked !== undefined && !error && status >= 200 && status < 300) this.answered.add(marked);
    if (sent.number > MOST) return;
    const took = Math.max(0, Math.round(milliseconds() - sent.started));
    const why = error && this.run.secrets.scrub(String(error.code ?? error.message ?? error)).slice(0, PATH);
    const exchange = error ? undefined : this.exchanges?.document(request, sent);
    this.#tell(error ? 'failed' : 'answered', sent, { status: sent.status, error: why, ms: took, exchange });
  }

  /**
   * @param {'made' | 'sent' | 'answered' | 'failed'} what
   * @param {Sent} sent
   * @param {Bag} more
   */
  #tell(what, { number, step, operation, method, host, path, bytes, key }, more) {
    // the end of a request may wait; that it leaves must be known before it does
    const tell = what === 'made' ? 'requestMade' : 'request';
    this.run.report[tell]({
      what, number, step_id: step?.id, operation, method, host, path, bytes, key, ...more,
    });
  }

  /** @param {string | undefined} key */
  #shown(key) {
    return key && this.run.secrets.scrub(key).slice(0, PATH);
  }
}

/** @param {unknown} origin */
function hostOf(origin) {
  const text = String(origin ?? '');
  const found = /^https?:\/\/(?:[^@/]*@)?([^/]+)/.exec(text);
  return found ? found[1] : text;
}

/**
 * A path whose query keeps its names only: values may be secrets that nobody knows.
 * @param {string} path
 */
function withoutValues(path) {
  const [place, query] = path.split('?', 2);
  if (query === undefined) return place;
  return `${place}?${query.split('&').map((pair) => `${pair.split('=', 1)[0]}=…`).join('&')}`;
}
