// One execution of one job: from its input to its closing event (docs/spec/runtime.md 3.2).

import { types } from 'node:util';

import { duration, milliseconds } from './clock.mjs';
import { adaptorsOf, causesOf, shapeOf } from './facts.mjs';
import { classify } from './faults.mjs';
import { marker } from './marks.mjs';
import { Measure } from './measure.mjs';
import { Operations } from './operations.mjs';
import { loadJob } from './scope.mjs';
import { assemble } from './state.mjs';

/**
 * @import { Run } from './run.mjs'
 * @import { Plan } from './plan.mjs'
 * @import { JobText } from './jobtext.mjs'
 * @import { Document } from './state.mjs'
 * @import { Fault } from './faults.mjs'
 */

/** From this size on (bytes of JSON), a step's state is released as soon as the step has ended. */
const LARGE = 1024 * 1024;
/** Findings of one step that are told. */
const FINDINGS = 20;

const COMMENTS = /\/\*[\s\S]*?\*\/|\/\/.*/g;
/**
 * Whether a step's text has more than comments: one that has not is meant to do nothing.
 * @param {string} text
 */
const holdsCode = (text) => text.replace(COMMENTS, '').trim() !== '';

const megabytes = (/** @type {number} */ bytes) => (bytes / 1048576).toFixed(0);

export class Step {
  /**
   * @param {Run} run what all steps share
   * @param {Plan} whole
   * @param {PlannedStep} plan
   * @param {JobText} job
   * @param {Document | undefined} input
   */
  constructor(run, whole, plan, job, input) {
    this.run = run;
    this.whole = whole;
    this.plan = plan;
    this.job = job;
    this.input = input;
    /**
     * The id of this execution; set when the step is opened.
     * @type {string | undefined}
     */
    this.id = undefined;
    /**
     * Id of its input on the platform, and of its output.
     * @type {string | undefined}
     */
    this.inputClip = undefined;
    /** @type {string | undefined} */
    this.clip = undefined;
    this.label = plan.name || plan.id;
    /** @type {Fault | undefined} */
    this.fault = undefined;
    /** @type {Document | undefined} */
    this.document = undefined;
    /** @type {string[]} */
    this.next = [];
    /**
     * Its credential, where the run is recorded.
     * @type {any}
     */
    this.configuration = undefined;
    /** @type {Memory | undefined} */
    this.mem = undefined;
    /** @type {Operations | undefined} */
    this.operations = undefined;
    /**
     * Removes the state from the context of the step's module.
     * @type {(() => void) | undefined}
     */
    this.forget = undefined;
    this.measure = new Measure();
    /**
     * What its author should know although nothing failed (holdfast.diagnosis).
     * @type {Bag[]}
     */
    this.findings = [];
  }

  /**
   * Tell the author something. Of many findings only the first are kept.
   * @param {Bag} finding
   */
  note(finding) {
    if (this.findings.length < FINDINGS) this.findings.push(this.run.secrets.scrubValue(finding));
  }

  /**
   * Tell the author something of the operation that is running.
   * @param {string} what
   * @param {Bag} [more]
   */
  noteHere(what, more) {
    const { at } = this.operations ?? {};
    this.note({ what, ...(at && this.#named(at.number)), ...more });
  }

  /**
   * Run the step. Raises a Fault, or a raw error, if the run cannot continue; the end of the step is
   * recorded before.
   */
  async execute() {
    const { run, plan } = this;
    const state = await this.prepare();
    run.log.info(`Starting step ${this.label}`);
    run.open(this);
    const started = milliseconds();
    let result;
    try {
      run.phase('load', plan);
      const operations = await this.#load(state);
      result = await this.#operate(operations, state);
    } catch (thrown) {
      this.fault = this.#faultOf(thrown, state);
    }
    this.#settle(result, state, started);
    // a small state stays: a timer of this step may still read the global `state`
    if (Math.max(this.measure.stateIn, this.measure.stateOut) > LARGE) this.forget?.();
  }

  /** The state that the step begins with. */
  async prepare() {
    const { run, plan } = this;
    this.measure.stateIn = this.input?.bytes ?? 0;
    const configuration = await run.configurationOf(plan);
    if (run.tape !== undefined) this.configuration = configuration;
    const defaults = await run.defaultsOf(plan);
    const input = this.input?.take();
    return assemble(input, { ...plan, state: defaults }, configuration, this.whole.credentials);
  }

  /** @param {Bag} state */
  async #load(state) {
    const { run, plan } = this;
    const { namespace, forget } = await loadJob(this.job.compiled, {
      console: run.jobConsole(),
      state,
      globals: this.extras().globals,
      idempotent: marker(this),
      workflowGlobals: this.whole.globals,
      meta: run.meta,
      link: (specifier, context) => run.link(specifier, plan, context),
    });
    this.forget = forget;
    this.operations = new Operations(namespace, {
      log: run.log,
      immutable: this.extras().immutable,
      onOperation: (number) => {
        this.measure.sample();
        run.phase('step', plan, this.#named(number));
      },
      onNothing: (number, value) => this.note({ what: 'no_state', ...this.#named(number), value: kindOf(value) }),
    });
    return this.operations;
  }

  /**
   * @param {Operations} operations
   * @param {Bag} state
   */
  async #operate(operations, state) {
    const { run } = this;
    if (operations.count === 0 && holdsCode(this.job.compiled.check)) this.note({ what: 'no_operation' });
    const result = await operations.run(state, this.limit());
    for (const { method, host, path } of run.requests.pending(this)) {
      this.note({ what: 'pending', method, host, path });
    }
    run.log.debug('Expression complete!');
    return result;
  }

  /** Milliseconds that the step's operations may take; none where the plan has no limit. */
  limit() {
    return this.whole.options.timeout;
  }

  /**
   * Extras for each step beyond the plan. A worker gives none.
   * @returns {{ globals?: Bag, immutable?: boolean }}
   */
  extras() {
    return {};
  }

  /**
   * @param {unknown} thrown
   * @param {Bag} state
   */
  #faultOf(thrown, state) {
    const fault = classify(thrown, this.job, this.operations?.thrower(thrown));
    fault.hide('facts', this.factsOf(thrown, fault, state));
    return this.run.scrubbed(fault);
  }

  /**
   * What an explanation needs to know. `state`: what the step began with.
   * @param {unknown} thrown
   * @param {Fault} fault
   * @param {Bag} [state]
   * @returns {Bag}
   */
  factsOf(thrown, fault, state) {
    const at = this.operations?.at;
    const operation = at && this.#named(at.number);
    const { line } = fault.at ?? {};
    const first = operation?.line ?? 1;
    return {
      phase: this.operations === undefined ? 'load' : 'step',
      ...operation,
      causes: causesOf(thrown),
      thrown: kindOf(thrown),
      keys: kindOf(thrown) === 'object' ? Object.keys(shapeOf(thrown)) : undefined,
      answer: this.run.requests.lastOf(this),
      state: shapeOf(at ? at.state : state),
      adaptors: adaptorsOf(this.plan.adaptors ?? [], this.run.settings.adaptors ?? {}),
      first,
      code: typeof line === 'number' ? this.job.lines(first, line) : undefined,
      findings: this.findings,
    };
  }

  /** @param {number} number */
  #named(number) {
    const known = this.job.operation(number);
    return { operation: number, name: known?.name ?? undefined, line: known?.line };
  }

  /**
   * Clean up, evaluate edges, report.
   * @param {unknown} result
   * @param {Bag} state
   * @param {number} started
   */
  #settle(result, state, started) {
    const { run, plan } = this;
    this.measure.sample();
    if (this.fault === undefined) {
      run.log.success(`${this.label} completed in ${duration(this.measure.elapsed)}`);
    }
    run.phase('serialise', plan); // sent before `toJSON` runs, which is the author's code
    try {
      if (this.fault?.name === 'TimeoutError') throw this.fault;
      this.#leave(result, state, started);
      if (this.fault === undefined) this.mem = this.memory();
      this.#follow();
    } catch (fault) {
      run.close(this, run.scrubbed(fault));
      throw fault;
    }
    const { fault } = this;
    run.close(this, fault);
    if (fault && !fault.recoverable) throw fault;
  }

  /**
   * The document that leaves the step, and the log lines about how it ended.
   * @param {unknown} result
   * @param {Bag} state
   * @param {number} started
   */
  #leave(result, state, started) {
    const { run, plan, fault } = this;
    const took = milliseconds() - started;
    if (fault === undefined) {
      this.document = run.cleaner.document(result, undefined, plan.id, (finding) => this.note(finding));
      return;
    }
    run.log.error(`${this.label} aborted with error (${duration(took)})`);
    this.document = run.cleaner.document(state, fault, plan.id);
    run.explain(this, fault);
  }

  /** Evaluate the edges with the output of the step. */
  #follow() {
    const { run, plan, document } = this;
    try {
      this.#evaluateEdges();
    } catch (error) {
      // the first cause of the end is kept
      if (this.fault === undefined || this.fault.recoverable) throw error;
    }
    if (this.whole.mayChangeState(plan)) document?.refresh();
    if (document === undefined && this.fault === undefined && this.next.length > 0) {
      run.log.warn(`WARNING: step ${plan.id} did not return a state object. `
        + 'This may cause downstream jobs to fail.');
    }
  }

  #evaluateEdges() {
    const { run, whole, plan, document } = this;
    const state = whole.looksAtState(plan) ? document?.peek() : undefined;
    this.next = whole.next(plan, state, (to, taken, doubt) => {
      run.edgeTaken(to, taken);
      if (doubt) this.note({ what: 'always', from: plan.id, to, ...doubt });
    });
  }

  /** Memory in use after the state was written; also logged. */
  memory() {
    const mem = this.measure.memory();
    const system = `[system ${megabytes(mem.system)}mb]`;
    this.run.log.debug(`Step memory usage: [step ${megabytes(mem.job)}mb] ${system}`);
    return mem;
  }
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function kindOf(value) {
  if (value === null) return 'null';
  return types.isNativeError(value) ? 'error' : Array.isArray(value) ? 'list' : typeof value;
}
