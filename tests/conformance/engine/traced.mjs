// A Run of the reference's own test cases: options of its runtime that a worker never gives, and
// its events as log lines of the source TRACE (docs/spec/runtime.md 1.4, 5).

import { Kind, sendText } from './channel.mjs';
import { duration, milliseconds, stamp } from './clock.mjs';
import { together } from './final.mjs';
import { Logger } from './log.mjs';
import { TracedLinker } from './repository.mjs';
import { Run } from './run.mjs';
import { Sanitizer } from './sanitizer.mjs';
import { Document } from './state.mjs';
import { Step } from './step.mjs';

/**
 * @import { Fault } from './faults.mjs'
 * @import { JobText } from './jobtext.mjs'
 * @import { Plan } from './plan.mjs'
 */

const megabytes = (/** @type {number} */ bytes) => (bytes / 1048576).toFixed(2);

/**
 * @param {string} event
 * @param {Bag} fields
 * @param {Document} [document]
 */
function trace(event, fields, document) {
  const state = document ? `,"state":${document.text}` : '';
  const text = `{"event":"${event}",${JSON.stringify(fields).slice(1, -1)}${state}}`.replace(',}', '}');
  sendText(Kind.LOG, JSON.stringify({
    source: 'TRACE', level: 'info', message: [text], timestamp: stamp(),
  }));
}

/**
 * The text that an input is, when it is one.
 * @param {string | undefined} input
 * @returns {string | undefined}
 */
function textOf(input) {
  try {
    const value = JSON.parse(input ?? '');
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined; // the run says what is wrong with it
  }
}

export class TracedRun extends Run {
  /** @param {ConstructorParameters<typeof Run>[0]} given */
  constructor(given) {
    super(given);
    const tracing = /** @type {CaseOptions} */ (given.options).case ?? {};
    this.isBare = tracing.level === 'runtime'; // the reference's runtime without its engine
    /** @type {TestOptions} */
    this.asked = tracing.options ?? {};
    /** @type {number | undefined} */
    this.peakHeap = undefined;
    const { level, sanitize } = this.asked.jobLogger ?? {};
    const common = this.common();
    this.jobLog = new Logger('JOB', {
      ...common, level: level ?? given.options.job_log_level ?? 'debug',
    });
    this.jobLog.renderer = new Sanitizer(common.secrets, common.limit, sanitize);
    if (this.asked.stateLimitMb !== undefined) this.cleaner.limitMb = this.asked.stateLimitMb;
  }

  validated() {
    trace('compiled', { duration: 0 });
    return super.validated();
  }

  makeLinker() {
    const { adaptors } = this.settings;
    const { linker } = this.asked;
    return new TracedLinker({ adaptors, ...linker, openRuntime: !this.isBare, log: this.log });
  }

  /** The reference leaves secrets to its platform. */
  learn() {}

  async initial() {
    const id = textOf(this.input);
    if (!id) return super.initial();
    this.input = undefined;
    const started = milliseconds();
    const value = this.asked.resolvers?.state && this.resolve('state', id);
    const took = milliseconds() - started;
    trace('load-state', { jobId: id, duration: Math.round(took) });
    this.log.success(`loaded state for ${id} in ${duration(took)}`);
    return value === undefined ? undefined : new Document(JSON.stringify(value));
  }

  /**
   * @param {'state' | 'credential'} kind
   * @param {string} id
   */
  resolve(kind, id) {
    const known = this.asked.resolvers?.[kind];
    if (known === undefined) throw new TypeError('resolver is not a function');
    if (!Object.hasOwn(known, id)) throw new Error(`${kind} not found: ${id}`);
    return known[id];
  }

  /**
   * @param {Plan} plan
   * @param {PlannedStep} planned
   * @param {JobText} job
   * @param {Document | undefined} input
   */
  makeStep(plan, planned, job, input) {
    return new TracedStep(this, plan, planned, job, input);
  }

  /** @param {Step} step */
  open(step) {
    super.open(step);
    trace('job-start', { jobId: step.plan.id });
  }

  /**
   * @param {Step} step
   * @param {Fault | undefined} fault
   */
  close(step, fault) {
    // one that ended with its own end: nothing came between, and its edges were looked at
    if (fault === step.fault && fault?.name !== 'TimeoutError') {
      const { plan, next, mem, measure, document } = step;
      const told = { jobId: plan.id, duration: measure.elapsed, next };
      if (fault === undefined) trace('job-complete', { ...told, mem }, document);
      else {
        const error = { ...fault, ...(fault.stack ? { stack: fault.stack } : {}) };
        trace('job-error', { ...told, error }, document);
      }
    }
    super.close(step, fault);
  }

  /**
   * @param {Map<string, Document>} leaves
   * @param {Fault | undefined} failed
   * @param {(string | undefined)[]} ends
   */
  finish(leaves, failed, ends) {
    if (this.peakHeap !== undefined) {
      this.log.debug(`Workflow complete: peak memory ${megabytes(this.peakHeap)}mb`);
    }
    const state = leaves.size > 1 ? together(leaves) : leaves.values().next().value;
    trace('end', { none: state === undefined }, state);
    super.finish(leaves, failed, ends);
  }

  /**
   * @param {Fault} fault
   * @param {string | undefined} step
   */
  end(fault, step) {
    trace('error', { error: { ...fault, stack: fault.stack } });
    super.end(fault, step);
  }
}

class TracedStep extends Step {
  /**
   * @param {TracedRun} run
   * @param {Plan} whole
   * @param {PlannedStep} plan
   * @param {JobText} job
   * @param {Document | undefined} input
   */
  constructor(run, whole, plan, job, input) {
    super(run, whole, plan, job, input);
    this.traced = run;
  }

  async prepare() {
    trace('init-start', { jobId: this.plan.id });
    const state = await super.prepare();
    trace('init-complete', { jobId: this.plan.id, duration: this.measure.elapsed });
    return state;
  }

  limit() {
    return super.limit() || this.traced.asked.defaultRunTimeoutMs;
  }

  extras() {
    const { globals, immutableState: immutable } = this.traced.asked;
    return { globals, immutable };
  }

  memory() {
    if (!this.traced.asked.profile) return super.memory();
    const { peakHeap: peak } = this.measure;
    this.traced.peakHeap = Math.max(this.traced.peakHeap ?? 0, peak);
    this.run.log.debug(`Step memory usage: peak ${megabytes(peak)}mb`);
    return { ...this.measure.memory(), peak };
  }
}
