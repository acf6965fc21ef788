// Every request that leaves a run through Node.js or undici, told to the journal as it is sent and
// as it ends (docs/journal.md, REQUEST). What leaves by another way is seen by the broker only.

import channels from 'node:diagnostics_channel';

import { milliseconds } from './clock.mjs';

/**
 * @import { Run } from './run.mjs'
 * @import { Step } from './step.mjs'
 *
 * @typedef {{
 *   number: number, step: Step | undefined, operation: number | undefined,
 *   method: string, host: string, path: string, started: number, status?: number, bytes?: number,
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
        ['undici:request:create', ({ request }) => this.#sent(request, {
          method: request.method, host: hostOf(request.origin), path: request.path,
          bytes: request.contentLength,
        })],
        ['undici:request:headers', ({ request, response }) => this.#status(request, response.statusCode)],
        ['undici:request:trailers', ({ request }) => this.#ended(request)],
        ['undici:request:error', ({ request, error }) => this.#ended(request, error)],
      ],
      node: [
        ['http.client.request.start', ({ request }) => this.#sent(request, {
          method: request.method, host: String(request.getHeader('host') ?? request.host),
          path: request.path, bytes: request.getHeader('content-length'),
        })],
        ['http.client.response.finish', ({ request, response }) => {
          this.#status(request, response.statusCode);
          this.#ended(request);
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
   * @param {object} request
   * @param {{ method: unknown, host: string, path: unknown, bytes: unknown }} what
   */
  #sent(request, { method, host, path, bytes }) {
    const { run } = this;
    const step = run.active.getStore() ?? run.current;
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
    };
    this.open.set(request, sent);
    if (sent.number <= MOST) this.#tell('sent', sent, {});
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
    if (sent.number > MOST) return;
    const took = Math.max(0, Math.round(milliseconds() - sent.started));
    const why = error && this.run.secrets.scrub(String(error.code ?? error.message ?? error)).slice(0, PATH);
    this.#tell(error ? 'failed' : 'answered', sent, { status: sent.status, error: why, ms: took });
  }

  /**
   * @param {'sent' | 'answered' | 'failed'} what
   * @param {Sent} sent
   * @param {Bag} more
   */
  #tell(what, { number, step, operation, method, host, path, bytes }, more) {
    this.run.report.request({
      what, number, step_id: step?.id, operation, method, host, path, bytes, ...more,
    });
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
