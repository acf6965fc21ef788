// Stands for the reference's engine in its own integration tests: it only keeps what it was given,
// for the worker that `worker.js` starts.
import { EventEmitter } from 'node:events';

/** @param {Record<string, unknown>} [options] */
export default async function createEngine(options = {}) {
  /** @type {Record<string, Record<string, (event: unknown) => void>>} */
  const handlers = {};
  const events = new EventEmitter();
  return {
    options,
    handlers,
    version: 'holdfast',
    /** @param {string} run @param {Record<string, (event: unknown) => void>} wanted */
    listen(run, wanted) {
      handlers[run] = { ...handlers[run], ...wanted };
    },
    /** @param {string} name @param {(...args: unknown[]) => void} handler */
    on(name, handler) {
      events.on(name, handler);
    },
    emit: events.emit.bind(events),
    async destroy() {},
  };
}
