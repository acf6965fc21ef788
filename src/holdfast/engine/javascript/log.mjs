// Log lines: sources, levels, order (docs/spec/runtime.md section 6), one LOG frame each.

import { Kind, MAX_BODY, holdText, sendText } from './channel.mjs';
import { duration, milliseconds, stamp } from './clock.mjs';
import { Renderer } from './render.mjs';

/** @import { Secrets } from './secrets.mjs' */

/** @type {Record<Level, number>} */
const PRIORITY = { debug: 0, info: 1, success: 2, always: 2, warn: 2, error: 100 };
/**
 * The lowest priority that each level of a logger shows: the levels of lines, and four more.
 * @type {Record<string, number>}
 */
const FILTER = { ...PRIORITY, log: 1, default: 2, none: 9, 'none-really': 1000 };
const { stringify } = JSON;
const TOO_LONG = '["[REDACTED: Message length exceeds payload limit]"]';
const byteLength = Buffer.byteLength.bind(Buffer);

/**
 * A logger of one source. `hold`: its lines, except errors, may wait for the next frame. Only our
 * own lines may; a line of the author is in the pipe when the call returns. `currentStep()` gives
 * the id of the step that a line belongs to, or undefined; `count()` is called for each line sent.
 */
export class Logger {
  /**
   * @param {string} source
   * @param {{
   *   secrets: Secrets, limit: number, level: string, hold?: boolean,
   *   currentStep: () => string | undefined, count: () => void,
   * }} given
   */
  constructor(source, { secrets, limit, level, hold = false, currentStep, count }) {
    this.source = source;
    this.renderer = new Renderer(secrets, limit);
    this.hold = hold;
    this.threshold = FILTER[level] ?? 0;
    // the other fields of the frame need room beside the message
    this.limit = Math.min(limit, MAX_BODY - 4096);
    this.currentStep = currentStep;
    this.count = count;
    /** @type {Map<unknown, number>} */
    this.timers = new Map();
  }

  /**
   * Send one line. A call without arguments, or with a lone null, sends nothing.
   * @param {Level} level
   * @param {unknown[]} items
   */
  write(level, items) {
    if (PRIORITY[level] >= this.threshold) this.#put(level, items, '');
  }

  /**
   * @param {Level} level
   * @param {unknown[]} items
   * @param {string} extra
   */
  #put(level, items, extra) {
    if (items.length === 0) return;
    const alone = items.length === 1;
    const shown = [];
    for (const value of items) {
      const item = this.renderer.item(value, alone);
      if (item !== undefined) shown.push(item);
    }
    if (shown.length === 0) return;
    let message = stringify(shown);
    if (message.length > this.limit || byteLength(message) > this.limit) message = TOO_LONG;
    const step = this.currentStep();
    const of = step === undefined ? '' : `,"step_id":"${step}"`;
    this.count();
    const send = this.hold && level !== 'error' ? holdText : sendText;
    send(Kind.LOG, `{"source":"${this.source}","level":"${level}","message":${message}`
      + `,"timestamp":"${stamp()}"${of}${extra}}`);
  }

  /** @param {...unknown} items */
  debug(...items) { this.write('debug', items); }
  /** @param {...unknown} items */
  info(...items) { this.write('info', items); }
  /** @param {...unknown} items */
  success(...items) { this.write('success', items); }
  /** @param {...unknown} items */
  always(...items) { this.write('always', items); }
  /** @param {...unknown} items */
  warn(...items) { this.write('warn', items); }
  /** @param {...unknown} items */
  error(...items) { this.write('error', items); }

  /** The `console` of job code: frozen, without a way back to this object. */
  console() {
    const at = (/** @type {Level} */ level) => (/** @type {unknown[]} */ ...items) => (
      this.write(level, items)
    );
    const named = {
      log: at('info'), info: at('info'), debug: at('debug'), warn: at('warn'),
      error: at('error'), success: at('success'), always: at('always'),
      print: (/** @type {unknown[]} */ ...items) => this.print(items),
      break: () => this.print(['']),
      timer: (/** @type {unknown} */ name) => this.timer(name),
      // nobody can be asked, so only `force` answers yes
      confirm: async (/** @type {unknown} */ _question, force = false) => Boolean(force),
      proxy: (/** @type {any[]} */ ...args) => (
        this.proxy(args.length === 3 ? { level: args[1], message: args[2] } : args[0])
      ),
    };
    for (const [name, call] of Object.entries(named)) {
      Object.defineProperty(call, 'name', { value: name });
    }
    return Object.freeze(named);
  }

  /** @param {unknown[]} items */
  print(items) {
    if (this.threshold !== FILTER.none) this.#put('info', items, ',"print":true');
  }

  /**
   * The first call starts a clock, the second returns its duration as text.
   * @param {unknown} name
   */
  timer(name) {
    const started = this.timers.get(name);
    this.timers.delete(name);
    if (started !== undefined) return duration(milliseconds() - started);
    this.timers.set(name, milliseconds());
    return undefined;
  }

  /**
   * Repeat a message of another logger, `{level, message}`.
   * @param {any} line
   */
  proxy(line) {
    const level = Object.hasOwn(PRIORITY, line?.level) ? line.level : 'info';
    const { message } = line ?? {};
    this.write(level, Array.isArray(message) ? message : [message]);
  }
}
