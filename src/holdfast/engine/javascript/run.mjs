// One run: the plan's steps in order, and what all of them share (docs/spec/runtime.md 1.5).

import { AsyncLocalStorage } from 'node:async_hooks';

import * as final from './final.mjs';
import { Fault, messageOf } from './faults.mjs';
import { JobText } from './jobtext.mjs';
import { judge } from './judgement.mjs';
import { Linker } from './linker.mjs';
import { Logger } from './log.mjs';
import { Plan } from './plan.mjs';
import { Report } from './report.mjs';
import { Requests } from './requests.mjs';
import { Secrets } from './secrets.mjs';
import { Cleaner, Document } from './state.mjs';
import { redirect } from './replay.mjs';
import { useTape } from './scope.mjs';
import { Step } from './step.mjs';
import { Tape } from './tape.mjs';

/**
 * @import { CompiledStep } from './compiled.mjs'
 * @import { Context } from 'node:vm'
 *
 * @typedef {{ document?: Document, clip?: string, next: string[], fault?: Fault }} Visit
 */

const MEBIBYTE = 1024 * 1024;
const DEFAULT_REMOVED = ['configuration', 'response'];
const WHITELIST = ['^@openfn/'];

export class Run {
  /**
   * `options`: OPTIONS frame; `credentials`: step id → configuration; `modules`: step index →
   * module as compiled; `plan`: as parsed, without expressions; `input`: JSON text or undefined.
   * @param {{
   *   options: RunOptions, credentials: Record<string, Bag>,
   *   modules: Map<number, CompiledStep>, plan: RawPlan, input: string | undefined,
   * }} given
   */
  constructor({ options, credentials, modules, plan, input }) {
    this.settings = options;
    this.credentials = credentials;
    this.modules = modules;
    this.rawPlan = plan;
    this.input = input;
    /**
     * The step whose code is running.
     * @type {AsyncLocalStorage<Step>}
     */
    this.active = new AsyncLocalStorage();
    /**
     * Sends what adaptors wrote to standard output without ending the line.
     * @type {(() => void) | undefined}
     */
    this.endLines = undefined;
    /**
     * The open step.
     * @type {Step | undefined}
     */
    this.current = undefined;
    /**
     * The step that ended the run.
     * @type {Step | undefined}
     */
    this.culprit = undefined;
    /**
     * Made when the plan is known to be one.
     * @type {Linker | undefined}
     */
    this.linker = undefined;
    this.executed = 0;
    this.secrets = new Secrets();
    for (const body of Object.values(credentials)) this.learn(body);
    this.learn(plan?.workflow?.credentials);
    for (const step of plan?.workflow?.steps ?? []) this.learn(step?.configuration);
    const common = this.common();
    this.log = new Logger('R/T', { ...common, level: 'debug', hold: true });
    this.engineLog = new Logger('RTE', { ...common, level: 'debug' });
    this.adaptorLog = new Logger('ADA', { ...common, level: 'debug' });
    this.jobLog = new Logger('JOB', { ...common, level: options.job_log_level ?? 'debug' });
    this.#describeRun();
    this.report = new Report({
      payloadLimitMb: options.payload_limit_mb,
      saveOutputs: options.output_dataclips !== false,
      warn: (text) => this.log.warn(text),
    });
    this.requests = new Requests(this);
    /**
     * Clock and random numbers, of a run that is recorded or replayed.
     * @type {Tape | undefined}
     */
    this.tape = undefined;
    /**
     * What such a run began with, until its first step has told it.
     * @type {string | undefined}
     */
    this.begun = undefined;
    this.cleaner = new Cleaner({
      remove: options.state_props_to_remove ?? DEFAULT_REMOVED,
      limitMb: options.state_limit_mb ?? 500,
      log: this.log,
    });
  }

  /**
   * The values of a credential are replaced in all that leaves the run.
   * @param {any} credential
   */
  learn(credential) {
    this.secrets.add(credential);
  }

  /** What all loggers are made with. */
  common() {
    const { settings } = this;
    return {
      secrets: this.secrets,
      limit: (settings.log_payload_limit_mb ?? settings.payload_limit_mb ?? 1) * MEBIBYTE,
      currentStep: () => this.#speaker()?.id,
      count: () => {
        const step = this.#speaker();
        if (step) step.measure.logLines += 1;
      },
    };
  }

  /** The step whose code is logging: the one that started the code, else the open one. */
  #speaker() {
    const step = this.active.getStore() ?? this.current;
    return step?.id === undefined ? undefined : step;
  }

  /** What jobs may know of their run: the global `meta`, which they cannot change. */
  #describeRun() {
    const { meta, run_id: runId } = this.settings;
    this.meta = meta && Object.freeze({ runId, startTime: Date.now(), ...meta });
  }

  jobConsole() {
    return this.jobLog.console();
  }

  /**
   * @param {string} name
   * @param {{ id: string, name?: string }} [step]
   * @param {{ operation: number, name?: string, line?: number }} [at]
   */
  phase(name, step, at) {
    this.report.phase(name, step, at);
  }

  /** Execute the plan and report its end. Raises what ends the run early. */
  async execute() {
    judge(
      this.modules,
      (phase, step) => this.phase(phase, step),
      (text) => this.engineLog.error(text),
    );
    const plan = this.validated();
    this.requests.watch();
    const { record, replay } = this.settings;
    if (replay !== undefined) redirect(replay.recording);
    if (record || replay?.tape !== undefined) {
      this.tape = new Tape(replay?.tape);
      useTape(this.tape);
    }
    this.log.info(`Executing ${plan.name}`);
    this.linker = this.makeLinker();
    const input = await this.initial();
    this.log.debug('Starting execution from step', plan.start);
    const { leaves, failed, ends } = await this.#traverse(plan, input);
    this.finish(leaves, failed, ends);
  }

  /**
   * Report a run whose steps are done. `failed`: the fault of the first leaf that has one.
   * @param {Map<string, Document>} leaves
   * @param {Fault | undefined} failed
   * @param {(string | undefined)[]} ends
   */
  finish(leaves, failed, ends) {
    this.report.result(final.compose(leaves, this.executed > 0, ends), failed);
  }

  /**
   * Report what ended the run early. `step`: id of the step at fault, if there is one.
   * @param {Fault} fault
   * @param {string | undefined} step
   */
  end(fault, step) {
    this.report.runError(fault, step);
  }

  /** The validated plan. Logs and raises what is wrong with it. */
  validated() {
    try {
      return new Plan(this.rawPlan, this.adaptorLog.console());
    } catch (error) {
      this.log.error('Error validating execution plan');
      this.log.error(asError(error));
      this.log.error('Aborting');
      throw error;
    }
  }

  /**
   * The module that `specifier` means to a step. Raises ImportError.
   * @param {string} specifier
   * @param {PlannedStep} step
   * @param {Context} context
   */
  link(specifier, step, context) {
    if (this.linker === undefined) throw new Error('nothing can be linked before the run executes');
    return this.linker.link(specifier, step, context);
  }

  makeLinker() {
    const { adaptors } = this.settings;
    return new Linker({ adaptors, whitelist: WHITELIST, log: this.log });
  }

  /**
   * The initial state as a Document; undefined when there is none.
   * @returns {Promise<Document | undefined>}
   */
  async initial() {
    const given = this.#given();
    let document;
    if (!given) {
      document = new Document('{"data":{},"configuration":{}}');
    } else if (typeof given === 'object') {
      this.learn(given.configuration);
      document = new Document(/** @type {string} */ (this.input));
      document.value = given; // parsed once; the first step takes it
    } else {
      document = new Document(`{"data":${this.input}}`);
    }
    if (this.tape !== undefined) this.begun = this.input;
    this.input = undefined;
    if (document) document.clip = this.settings.dataclip_id;
    return document;
  }

  /** The input's value, or undefined when there is none. Raises DataClipError. */
  #given() {
    if (!this.input) return undefined;
    try {
      return JSON.parse(this.input);
    } catch (error) {
      throw new Fault('DataClipError', 'exception', `The run's input is not JSON: ${messageOf(error)}`);
    }
  }

  /**
   * The value that an id in a plan stands for. The worker has replaced all ids before.
   * @param {'state' | 'credential'} kind
   * @param {string} id
   * @returns {any}
   */
  resolve(kind, id) {
    throw new Error(`the plan has the id of a ${kind}, which nobody has resolved: ${id}`);
  }

  /**
   * The credential of a step: from the worker, or as the plan has it.
   * @param {PlannedStep} step
   */
  async configurationOf(step) {
    if (Object.hasOwn(this.credentials, step.id)) return this.credentials[step.id];
    const { configuration } = step;
    return typeof configuration === 'string' ? this.resolve('credential', configuration)
      : configuration;
  }

  /** @param {PlannedStep} step */
  async defaultsOf(step) {
    return typeof step.state === 'string' ? this.resolve('state', step.state) : step.state;
  }

  /**
   * Breadth first, one step at a time. Gives the documents of the leaves by key, the fault of the
   * first failed leaf, and the id of each leaf's output. A leaf that returned nothing has an id but
   * no document.
   * @param {Plan} plan
   * @param {Document} [input]
   */
  async #traverse(plan, input) {
    /** @type {{ id: string, input?: Document, clip?: string }[]} */
    const queue = [{ id: plan.start, input, clip: input?.clip }];
    /** @type {(string | undefined)[]} */
    const ends = [];
    if (input) input.readers = 1;
    /** @type {Map<string, number>} */
    const times = new Map();
    /** @type {Map<string, Document>} */
    const leaves = new Map();
    /** @type {Fault | undefined} */
    let failed;
    for (let waiting = queue.shift(); waiting !== undefined; waiting = queue.shift()) {
      const { id: named, input: given, clip: from } = waiting;
      const id = String(named);
      const count = times.get(id) ?? 0;
      times.set(id, count + 1);
      const { document, clip, next, fault } = await this.visit(plan, id, given, from);
      const isEnd = plan.end !== undefined && id === String(plan.end);
      const isLeaf = isEnd || next.length === 0;
      if (document) document.readers += next.length + (isLeaf ? 1 : 0);
      if (isLeaf && document) leaves.set(count === 0 ? id : `${id}-${count}`, document);
      if (isLeaf) {
        failed ??= fault;
        ends.push(clip);
      }
      if (isEnd) break;
      for (const to of next) queue.push({ id: to, input: document, clip });
    }
    return { leaves, failed, ends };
  }

  /**
   * Execute one step, or go past one that has no expression.
   * @param {Plan} plan
   * @param {string} id
   * @param {Document | undefined} input
   * @param {string | undefined} clip
   * @returns {Promise<Visit>}
   */
  async visit(plan, id, input, clip) {
    const planned = plan.step(id);
    const module = this.modules.get(plan.steps.indexOf(planned));
    if (module === undefined) return this.#pass(plan, planned, input, clip);
    const step = this.makeStep(plan, planned, new JobText(planned, module), input);
    step.inputClip = clip;
    try {
      await this.active.run(step, () => step.execute());
    } catch (error) {
      this.culprit ??= step;
      throw error;
    }
    // not the step itself, which would keep everything alive that its code has made
    return { document: step.document, clip: step.clip, next: step.next, fault: step.fault };
  }

  /**
   * @param {Plan} plan
   * @param {PlannedStep} planned
   * @param {JobText} job
   * @param {Document | undefined} input
   */
  makeStep(plan, planned, job, input) {
    return new Step(this, plan, planned, job, input);
  }

  /**
   * A step without an expression passes its input on, or an empty object if it has none.
   * @param {Plan} plan
   * @param {PlannedStep} planned
   * @param {Document | undefined} input
   * @param {string | undefined} clip
   * @returns {Visit}
   */
  #pass(plan, planned, input, clip) {
    if (input) input.readers -= 1;
    const document = input ?? new Document('{}');
    const state = plan.looksAtState(planned) ? document.peek() : undefined;
    const next = plan.next(planned, state, (to, taken) => this.edgeTaken(to, taken));
    if (plan.mayChangeState(planned)) document.refresh();
    return { document, clip, next };
  }

  /**
   * @param {string} to
   * @param {boolean} taken
   */
  edgeTaken(to, taken) {
    this.log.debug(`Edge condition returned ${taken}; ${to} will ${taken ? '' : 'NOT '}be executed`
      + (taken ? ' next' : ''));
  }

  /** @param {Step} step */
  open(step) {
    this.executed += 1;
    this.tape?.begin();
    this.report.stepStart(step);
    this.current = step;
  }

  /**
   * @param {Step} step
   * @param {any} fault
   */
  close(step, fault) {
    this.endLines?.();
    this.requests.settle();
    this.report.stepComplete(step, fault);
    this.current = undefined;
  }

  /**
   * The fault with every secret in its texts replaced.
   * @template T
   * @param {T} fault
   * @returns {T}
   */
  scrubbed(fault) {
    if (!(fault instanceof Fault)) return fault;
    const own = /** @type {Bag} */ (fault);
    for (const key of Object.keys(own)) own[key] = this.secrets.scrubValue(own[key]);
    if (fault.stack !== undefined) fault.hide('stack', this.secrets.scrub(fault.stack));
    if (fault.at !== undefined) fault.hide('at', this.secrets.scrubValue(fault.at));
    if (fault.facts !== undefined) fault.hide('facts', this.secrets.scrubValue(fault.facts));
    if (fault.edge !== undefined) fault.hide('edge', this.secrets.scrubValue(fault.edge));
    return fault;
  }

  /**
   * The lines that tell an author what went wrong (docs/spec/runtime.md 6.6).
   * @param {Step} step
   * @param {Fault} fault
   */
  explain(step, fault) {
    const { log } = this;
    if (step.job.mapProblem) {
      this.adaptorLog.warn('Error occurred trying to resolve sourcemap for ', step.label);
      this.adaptorLog.warn(step.job.mapProblem);
    }
    if (fault.severity === 'crash') log.error('CRITICAL ERROR! Aborting execution');
    if (fault.operationName && fault.line) {
      log.error(`Error reported by "${fault.operationName}()" operation line ${fault.line}:`);
      log.error(fault.stack ?? fault.message);
    } else if (fault.pos) {
      log.error(fault.stack ?? `${fault.message} (${fault.pos.line}:${fault.pos.column})`);
    } else {
      log.error(fault.message);
      if (fault.raisedIn) log.error(`Raised in the operation "${fault.raisedIn.name}()"`);
    }
    const frame = fault.at && step.job.frame(fault.at);
    if (frame && (fault.pos || step.job.compiled.compiled)) {
      log.error('Error occurred at:', step.label);
      for (const line of frame) log.error(line);
    }
    if (fault.fix) log.error(fault.fix);
    const details = fault.details ?? fault.more;
    if (details) {
      log.error('Additional error details:');
      log.error(details);
    }
    if (fault.severity === 'fail') log.error(`Check state.errors.${step.plan.id} for details`);
  }
}

/** @param {any} error */
function asError(error) {
  const { name, message } = error;
  return Object.assign(new Error(message), { name });
}
