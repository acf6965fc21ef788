// Unplanned ends of a run process: an uncaught error, an exit that an adaptor asked for, an empty
// event loop.

import fs from 'node:fs';
import { setTraceSigInt } from 'node:util';

import { Kind, sendText } from './channel.mjs';
import { Fault, describe } from './faults.mjs';
import { leave } from './forked.mjs';
import * as stacks from './stack.mjs';

/**
 * @import { Logger } from './log.mjs'
 * @import { Run } from './run.mjs'
 * @import { Step } from './step.mjs'
 * @import { Writable } from 'node:stream'
 */

const { writeSync } = fs;
const STACK_FRAMES = 40;

/**
 * Watch every way to leave. Call it before any code of adaptors or jobs is loaded. `faultOf`:
 * turns any error into a Fault.
 * @param {(error: unknown) => Fault} [faultOf]
 */
export function guard(faultOf = ofTheEngine) {
  const reallyExit = process.reallyExit.bind(process);
  const exit = (/** @type {number} */ code = 0) => {
    leave(code);
    return reallyExit(code);
  };
  setTraceSigInt(false); // loads what it needs, ahead of the run
  const protection = new Protection(exit, faultOf);
  /** @param {number | string | null} [code] */
  const intercept = (code) => protection.exitAsked(code ?? process.exitCode ?? 0);
  process.exit = intercept;
  process.reallyExit = intercept;
  process.abort = () => protection.exitAsked(134);
  process.on('uncaughtException', (error) => protection.uncaught(error));
  process.on('unhandledRejection', (error) => protection.uncaught(error));
  process.on('beforeExit', () => protection.stuck());
  // adaptors call through many layers; the frame of the author's code must be kept
  Error.stackTraceLimit = STACK_FRAMES;
  return protection;
}

export class Protection {
  #exit;
  #faultOf;
  /** @type {Run | undefined} */
  #run;
  #over = false;

  /**
   * @param {(code?: number) => never} exit
   * @param {(error: unknown) => Fault} faultOf
   */
  constructor(exit, faultOf) {
    this.#exit = exit;
    this.#faultOf = faultOf;
  }

  /**
   * From now on, ends are reported to this run, and adaptors' own output becomes log lines.
   * @param {Run} run
   */
  watch(run) {
    this.#run = run;
    run.endLines = redirect(run.adaptorLog);
    // a loop without end tells its stack when the shim interrupts it (engine/shim/hot.py)
    setTraceSigInt(true);
  }

  /**
   * @param {number} code
   * @returns {never}
   */
  leave(code) {
    this.#over = true;
    return this.#exit(code);
  }

  /**
   * Report what ended the run, close the step that is open, leave with `code`.
   * @param {unknown} error
   * @param {Step} [step]
   * @param {number} [code]
   * @returns {never}
   */
  fail(error, step = this.#run?.culprit, code = 0) {
    if (this.#over) return this.leave(code);
    this.#over = true;
    const run = this.#run;
    const fault = error instanceof Fault ? error : this.#faultOf(error);
    if (run === undefined) return this.#bare(fault);
    run.scrubbed(fault);
    if (run.current) run.close(run.current, fault);
    run.end(fault, step?.plan.id ?? fault.step);
    return this.leave(code);
  }

  /**
   * Report an error before there is a run: by a frame of its own.
   * @param {Fault} fault
   * @returns {never}
   */
  #bare(fault) {
    const { name, message } = fault;
    sendText(Kind.RUN_ERROR, JSON.stringify({
      timestamp: String(Date.now() * 1000), error_type: name, error_message: message,
      severity: 'exception',
    }));
    return this.leave(0);
  }

  /** @param {unknown} error */
  uncaught(error) {
    const run = this.#run;
    if (run === undefined || this.#over) return this.fail(error);
    const step = run.active.getStore() ?? run.current;
    const message = describe(error);
    const fault = new Fault('ExecutionError', 'crash', message);
    fault.source = 'engine';
    const trace = error !== null && error !== undefined ? stacks.read(error) : undefined;
    const found = trace && step && stacks.jobPosition(trace);
    if (found) fault.hide('at', step.job.shown(step.job.map(found.line, found.column)));
    if (step) fault.hide('facts', step.factsOf(error, fault));
    run.adaptorLog.error(`Uncaught exception in step ${step?.label ?? '(none)'}:`);
    run.adaptorLog.error(trace && step ? stacks.cut(trace, step.job) : message);
    return this.fail(fault, step);
  }

  /**
   * @param {number | string} code
   * @returns {never}
   */
  exitAsked(code) {
    const run = this.#run;
    const left = Number(code) || 0;
    if (run === undefined || this.#over) return this.#exit(left);
    const fault = new Fault('ExitError', 'crash', `Worker thread exited with code: ${code}`);
    fault.source = 'engine';
    fault.details = { code };
    const step = run.active.getStore() ?? run.current;
    return this.fail(fault, step, left);
  }

  /** The event loop is empty before the run has ended: nothing can continue it. */
  stuck() {
    const run = this.#run;
    if (run === undefined || this.#over) return;
    const step = run.current;
    const where = step ? ` in step ${step.label}` : '';
    const fault = new Fault('DeadlockError', 'crash',
      `Nothing is left that could continue the run${where}: a promise was never settled`);
    fault.source = 'engine';
    this.fail(fault, step);
  }
}

/**
 * An error that is no Fault is a failure of the engine. Its stack is kept as evidence.
 * @param {unknown} error
 */
function ofTheEngine(error) {
  const trace = stacks.read(error);
  writeSync(2, `${[describe(error), ...(trace?.frames ?? [])].join('\n')}\n`);
  const fault = new Fault('ExecutionError', 'exception', describe(error));
  fault.source = 'engine';
  return fault;
}

/**
 * Turn console and streams of the host realm, where adaptors live, into log lines of `ADA`. Returns
 * a function that sends an unfinished line.
 * @param {Logger} logger
 */
function redirect(logger) {
  /** @type {['log' | 'info' | 'debug' | 'warn' | 'error', Level][]} */
  const shown = [
    ['log', 'info'], ['info', 'info'], ['debug', 'debug'], ['warn', 'warn'], ['error', 'error'],
  ];
  for (const [name, level] of shown) {
    console[name] = (/** @type {unknown[]} */ ...items) => logger.write(level, items);
  }
  const lines = [new LineWriter('stdout', 'info', logger), new LineWriter('stderr', 'error', logger)];
  return () => {
    for (const writer of lines) writer.end();
  };
}

/** Replaces a standard stream: each line becomes a log line. */
class LineWriter {
  #rest = '';
  /** @type {Writable | undefined} */
  #stream;

  /**
   * @param {'stdout' | 'stderr'} name
   * @param {Level} level
   * @param {Logger} logger
   */
  constructor(name, level, logger) {
    this.level = level;
    this.logger = logger;
    this.descriptor = name === 'stdout' ? 1 : 2;
    Object.defineProperty(process, name, { configurable: true, get: () => this.#made() });
  }

  /** Send the unfinished line. */
  end() {
    if (this.#rest !== '') this.logger.write(this.level, [this.#rest]);
    this.#rest = '';
  }

  /** A writable stream, made when somebody asks for it. */
  #made() {
    if (this.#stream === undefined) {
      const { Writable: Made } = process.getBuiltinModule('node:stream');
      this.#stream = Object.assign(new Made({ decodeStrings: false }), {
        write: this.#write.bind(this), fd: this.descriptor,
      });
    }
    return this.#stream;
  }

  /**
   * @param {string | Uint8Array} chunk
   * @param {unknown} [encoding]
   * @param {unknown} [done]
   */
  #write(chunk, encoding, done) {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.logger.write(this.level, [line]);
    const callback = typeof encoding === 'function' ? encoding : done;
    if (typeof callback === 'function') queueMicrotask(() => callback());
    return true;
  }
}
