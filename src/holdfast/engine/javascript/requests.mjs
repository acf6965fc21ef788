// Every request of a run through Node.js or undici, told to the journal when it leaves on a
// connection, when its answer begins, and when it ends (docs/journal.md, REQUEST). What is over before
// anything else is told needs no record of its own. What leaves by another way is seen by the broker only.

import channels from 'node:diagnostics_channel';

import { Beyond } from './beyond.mjs';
import { askLater } from './channel.mjs';
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
 *   left?: true, ended?: true, key?: string, marked?: string,
 * }} Sent
 */

/** Requests of one run that are told one by one; the others are counted. */
const MOST = 1000;
const PATH = 300;
/** What stands in an address where a value was missing; as in `world_rules.py`. */
const HOLE = /[/=:.,&](undefined|NaN|\[object(?:%20| )Object\])(?=$|[/?&#:.,])|^[^?]*?\/(null)(?=$|[/?#.])/;

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
    /**
     * The request that was answered last.
     * @type {Sent | undefined}
     */
    this.last = undefined;
    this.beyond = new Beyond((hosts, whole) => {
      const { method, host, path } = [...this.open.values()].at(-1) ?? {};
      const open = host && `${method} ${host}${path}`;
      run.report.requestSoon({ what: 'more', number: this.count, hosts, open, whole });
    });
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
   * Requests of a step that have no answer yet, not even its beginning.
   * @param {Step} step
   */
  pending(step) {
    return [...this.open.values()].filter((sent) => sent.step === step && sent.status === undefined);
  }

  /**
   * The last answer that a step got.
   * @param {Step} step
   */
  lastOf(step) {
    if (this.last?.step !== step) return undefined;
    const { method, host, path, status } = this.last;
    return { method, host, path, status };
  }

  /** A step has ended. */
  settle() {
    this.beyond.settle();
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
    const place = { method: String(method ?? 'GET'), host, path: String(path ?? '/') };
    const { key, ours } = keyed(request, place);
    this.count += 1;
    /** @type {Sent} */
    const sent = {
      number: this.count,
      step,
      operation: step?.operations?.at?.number,
      method: place.method.slice(0, 20),
      host: run.secrets.scrub(host).slice(0, PATH),
      path: run.secrets.scrub(withoutValues(place.path)).slice(0, PATH),
      started: milliseconds(),
      bytes: Number(bytes) || undefined,
      key: this.#shown(key),
      marked: ours ? key : undefined,
    };
    this.open.set(request, sent);
    const hole = HOLE.exec(place.path);
    if (hole) {
      step?.noteHere('hole', { method: sent.method, host: sent.host, path: sent.path, hole: hole[1] ?? hole[2] });
    }
    if (sent.number > MOST) this.beyond.made(sent.host);
    else askLater(() => (sent.left || sent.ended ? undefined : this.#tell('made', sent)));
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
    this.#keyOfLeaving(request, sent);
    const { remoteAddress: address, remotePort: port } = socket ?? {};
    const host = address?.includes(':') ? `[${address}]` : address;
    const place = address && `${host}:${port}`;
    if (sent.number > MOST) this.beyond.sent(sent.host, place);
    else this.#tell('sent', sent, { address: place });
  }

  /**
   * @param {Bag} request
   * @param {Sent} sent
   */
  #keyOfLeaving(request, sent) {
    if (typeof request.getHeader === 'function') { // node:http takes headers until now
      const key = keyOf(request);
      if (key !== sent.marked) sent.marked = undefined; // and the author gave it another one
      sent.key = this.#shown(key);
    }
    if (sent.marked !== undefined && this.answered.has(sent.marked)) {
      sent.step?.noteHere('key_again', { method: sent.method, host: sent.host, path: sent.path });
    }
  }

  /**
   * The answer has begun. Most have ended in the same moment: then nothing is told of it here.
   * @param {object} request
   * @param {number} status
   */
  #status(request, status) {
    const sent = this.open.get(request);
    if (sent === undefined) return;
    sent.status = status;
    this.last = sent;
    if (sent.number > MOST) return;
    askLater(() => {
      if (!sent.ended) this.run.report.requestSoon({ what: 'begun', number: sent.number, status });
    });
  }

  /**
   * @param {object} request
   * @param {any} [error]
   */
  #ended(request, error) {
    const sent = this.open.get(request);
    if (sent === undefined) return;
    this.open.delete(request);
    sent.ended = true;
    const { number, marked, status } = sent;
    const fine = status !== undefined && status >= 200 && status < 300;
    if (marked !== undefined && !error && fine) this.answered.add(marked);
    if (number > MOST) {
      if (sent.left) this.beyond.ended(sent.host, error ? undefined : status);
      return;
    }
    const ms = Math.max(0, Math.round(milliseconds() - sent.started));
    if (error) {
      const why = this.run.secrets.scrub(String(error.code ?? error.message ?? error)).slice(0, PATH);
      this.#tell('failed', sent, { status, error: why, ms });
    } else {
      const exchange = this.exchanges?.document(request, sent);
      this.run.report.request({ what: 'answered', number, status, ms, exchange });
    }
  }

  /**
   * @param {'made' | 'sent' | 'failed'} what
   * @param {Sent} sent
   * @param {Bag} [more]
   */
  #tell(what, { number, step, operation, method, host, path, bytes, key }, more) {
    // that it leaves must be known before it does
    this.run.report[what === 'made' ? 'requestSoon' : 'request']({
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
  const at = path.indexOf('?');
  if (at < 0) return path;
  const pairs = path.slice(at + 1).split('&').map((pair) => `${pair.split('=', 1)[0]}=…`);
  return `${path.slice(0, at)}?${pairs.join('&')}`;
}
