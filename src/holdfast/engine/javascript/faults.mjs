// Errors of a run: one class for all of them, and how a thrown value becomes one
// (docs/spec/runtime.md section 8).
//
// The own enumerable properties of a fault become `state.errors`. Properties for the log and the
// journal only (`stack`, `at`) are not enumerable.

import { stringify, parse } from './serialise.mjs';
import * as stacks from './stack.mjs';

/** @import { JobText } from './jobtext.mjs' */

const { hasOwn, defineProperty } = Object;

/** A classified failure. `severity`: fail, crash, kill or exception; absent for raw errors. */
export class Fault {
  /**
   * @param {string} name
   * @param {any} severity
   * @param {any} message
   * @param {Bag} [more]
   */
  constructor(name, severity, message, more = {}) {
    /** @type {string | undefined} */
    this.source = 'runtime';
    this.name = name;
    if (severity !== undefined) this.severity = severity;
    this.message = message;
    const said = Object.entries(more).filter(([, value]) => value !== undefined);
    Object.assign(this, Object.fromEntries(said));
  }

  /**
   * Attach something that is not part of `state.errors`.
   * @param {string} key
   * @param {unknown} value
   */
  hide(key, value) {
    defineProperty(this, key, { value, enumerable: false, writable: true, configurable: true });
    return this;
  }

  /** Whether the run continues after the step that failed with this. */
  get recoverable() {
    return this.severity !== 'crash' && this.severity !== 'kill';
  }
}

/** @param {string} message */
export const validation = (message) => new Fault('ValidationError', 'crash', message);
/** @param {string} message */
export const importFailed = (message) => new Fault('ImportError', 'crash', message);
/** @param {number} ms */
export const timedOut = (ms) =>
  new Fault('TimeoutError', 'kill', `Job took longer than ${ms}ms to complete`);
/**
 * @param {string} message
 * @param {{ from: string, to: string, text: string }} edge
 */
export const edgeFailed = (message, edge) =>
  new Fault('EdgeConditionError', 'crash', message).hide('edge', edge);

/** @param {number} limit */
export function stateTooLarge(limit) {
  const fault = new Fault('StateTooLargeError', 'kill', `State exceeds the limit of ${limit}mb`);
  delete fault.source;
  return fault;
}

/**
 * A crash because a compiled job has a wrong form; `subtype` says which.
 * @param {string} subtype
 * @param {string} message
 * @param {string} fix
 */
export function invalid(subtype, message, fix) {
  return new Fault('RuntimeCrash', 'crash', `${subtype}: ${message}`, { subtype, fix });
}

/**
 * The thrown value as text, whatever it is. Never throws.
 * @param {unknown} thrown
 */
export function messageOf(thrown) {
  if (typeof thrown === 'string') return thrown;
  try {
    if (thrown !== null && typeof thrown === 'object') {
      const { message } = /** @type {{ message?: unknown }} */ (thrown);
      if (message !== undefined) return String(message);
    }
  } catch {
    return 'a value that cannot be read was thrown';
  }
  return '';
}

/**
 * The message as it was thrown, if JSON can hold it.
 * @param {unknown} thrown
 */
function carried(thrown) {
  const message = read(thrown, 'message');
  if (typeof thrown === 'string' || message === undefined || typeof message === 'string') {
    return messageOf(thrown);
  }
  try {
    return parse(/** @type {string} */ (stringify(message)));
  } catch {
    return messageOf(thrown);
  }
}

/**
 * The message as `state.errors` shows it. An empty one, such as null, becomes undefined.
 * @param {unknown} thrown
 */
const recorded = (thrown) => carried(thrown) || '';

/**
 * The thrown value in words, never empty. Never throws.
 * @param {unknown} thrown
 * @returns {string}
 */
export function describe(thrown) {
  const message = messageOf(thrown);
  if (message !== '') return message;
  try {
    return String(thrown);
  } catch {
    return 'a value that cannot be read';
  }
}

/**
 * A property of an unknown value; undefined when it has none or reading it throws.
 * @param {any} value
 * @param {string} key
 * @returns {any}
 */
function read(value, key) {
  try {
    return value?.[key];
  } catch {
    return undefined;
  }
}

/**
 * @param {unknown} thrown
 * @returns {string}
 */
function className(thrown) {
  const name = read(read(thrown, 'constructor'), 'name');
  return typeof name === 'string' ? name : '';
}

/**
 * `{message, …}`: what an adaptor attached to its error, as far as JSON can hold it.
 * @param {unknown} thrown
 * @returns {Bag}
 */
function detailsOf(thrown) {
  let own = {};
  try {
    own = parse(stringify({ ...decycled(thrown) }) ?? '{}');
  } catch {
    // a getter of the error threw: only its message is left
  }
  return { message: carried(thrown), ...own };
}

/**
 * The error's own properties, with references back to itself marked.
 * @param {unknown} thrown
 */
function decycled(thrown) {
  const text = stringify(thrown);
  const value = text === undefined ? {} : parse(text);
  return typeof value === 'object' ? value : {};
}

/**
 * The fault for a value thrown while a job was loaded or run.
 *
 * `job.map(line, column)` gives the author's position; `operation` (number from 1) is what was
 * running, undefined while the module was being loaded. Such errors belong to no operation.
 * @param {unknown} thrown
 * @param {JobText} job
 * @param {number} [operation]
 */
export function classify(thrown, job, operation) {
  try {
    if (!(thrown instanceof Fault)) return classified(thrown, job, operation);
    if (thrown.name === 'ImportError' && thrown.at === undefined) pointAtImport(thrown, job);
    return thrown;
  } catch {
    // a proxy, or getters that throw: it was made to fail
    return new Fault('JobError', 'fail', 'a value that cannot be read was thrown');
  }
}

/**
 * @param {unknown} thrown
 * @param {JobText} job
 * @param {number} [operation]
 */
function classified(thrown, job, operation) {
  if (thrown === null || thrown === undefined) {
    // The text of the reference: code may look for it.
    const message = `Cannot read properties of ${thrown} (reading 'stack')`;
    return new Fault('RuntimeError', 'fail', `TypeError: ${message}`, { subtype: 'TypeError' });
  }
  const trace = stacks.read(thrown);
  if (operation !== undefined && trace && stacks.fromAdaptor(trace)) {
    return adaptorFault(thrown, trace, job, operation);
  }
  const fault = place(ofKind(thrown), trace, job);
  pointAtName(fault, job);
  if (fault.name === 'ImportError' && fault.at === undefined) pointAtImport(fault, job);
  if (fault.at === undefined) raisedIn(job.operation(operation), fault, thrown, job);
  return fault;
}

const UNDEFINED_NAME = /^ReferenceError: (\S+) is not defined$/;

/**
 * V8 puts a name of a statement that nobody declared down to the beginning of that statement: the
 * module's default export, for an operation.
 * @param {Fault} fault
 * @param {JobText} job
 */
function pointAtName(fault, job) {
  const [, name] = UNDEFINED_NAME.exec(fault.message) ?? [];
  const { line, column, src = '' } = fault.at ?? {};
  if (name === undefined || src.startsWith(name, Number(column) - 1)) return;
  const found = job.unknown(name);
  if (found === undefined || line === undefined) return;
  if (fault.pos === fault.at) fault.pos = found;
  fault.hide('at', found);
}

/**
 * The line of the author's text that imports what cannot be imported.
 * @param {Fault} fault
 * @param {JobText} job
 */
export function pointAtImport(fault, job) {
  const [, specifier] = /(?:blacklisted: |import module )"?([^\s"]+)/.exec(fault.message) ?? [];
  const at = specifier && job.find([`'${specifier}'`, `"${specifier}"`]);
  if (at) fault.hide('at', at);
}

/**
 * The fault for an error whose stack has no frame of a job or an adaptor, as of a refused connection.
 * @param {Operation | undefined} operation
 * @param {Fault} fault
 * @param {unknown} thrown
 * @param {JobText} job
 */
function raisedIn(operation, fault, thrown, job) {
  const at = job.begin(operation);
  if (at === undefined) return;
  fault.hide('at', at).hide('raisedIn', operation);
  if (typeof thrown !== 'object' || fault.details !== undefined) return;
  const { message, ...more } = detailsOf(thrown);
  if (Object.keys(more).length > 0) fault.hide('more', more);
}

/** @param {unknown} thrown */
function ofKind(thrown) {
  const name = read(thrown, 'name');
  if (name === 'AdaptorError' || name === 'ImportError') return passedThrough(thrown, name);
  const kind = className(thrown);
  const message = messageOf(thrown);
  if (kind.includes('RangeError') || kind.includes('TypeError')) {
    return new Fault('RuntimeError', 'fail', `${kind}: ${message}`, { subtype: kind });
  }
  const severity = read(thrown, 'severity');
  if (severity === 'crash' || kind.includes('ReferenceError') || kind.includes('SyntaxError')) {
    const more = { subtype: kind, fix: read(thrown, 'fix'), details: read(thrown, 'details') };
    return new Fault('RuntimeCrash', 'crash', `${kind}: ${message}`, more);
  }
  if (kind === 'EvalError') {
    return new Fault('SecurityError', 'kill', 'Illegal eval statement detected');
  }
  return new Fault('JobError', 'fail', recorded(thrown));
}

/**
 * An AdaptorError or ImportError that code made by hand keeps its own properties.
 * @param {unknown} thrown
 * @param {string} name
 */
function passedThrough(thrown, name) {
  const fault = new Fault(name, read(thrown, 'severity'), messageOf(thrown), detailsOf(thrown));
  fault.name = name;
  if (!hasOwn(/** @type {object} */ (thrown), 'source')) delete fault.source;
  return fault;
}

const POSITIONED = new Set(['RuntimeError', 'RuntimeCrash']);

/**
 * Add the position to a fault of job code. Only some classes show it in `state.errors`.
 * @param {Fault} fault
 * @param {Trace | undefined} trace
 * @param {JobText} job
 */
function place(fault, trace, job) {
  if (trace === undefined) return fault;
  locate(fault, trace, job);
  if (POSITIONED.has(fault.name)) showPosition(fault, trace, job);
  return fault.hide('stack', stacks.cut(trace, job));
}

/**
 * `at`: where the author's step was.
 * @param {Fault} fault
 * @param {Trace} trace
 * @param {JobText} job
 */
function locate(fault, trace, job) {
  const found = stacks.jobPosition(trace);
  if (found) fault.hide('at', job.shown(job.map(found.line, found.column)));
}

/**
 * `pos`: the place that threw. It differs from `at` in code of the workflow's globals: that code is
 * not part of the step, so its positions are not translated.
 * @param {Fault} fault
 * @param {Trace} trace
 * @param {JobText} job
 */
function showPosition(fault, trace, job) {
  const pos = stacks.globalsPosition(trace) ?? fault.at;
  if (pos === undefined) return;
  fault.pos = pos;
  if (pos === fault.at && job.step !== undefined) fault.step = job.step;
}

/**
 * @param {unknown} thrown
 * @param {Trace} trace
 * @param {JobText} job
 * @param {number} operation
 */
function adaptorFault(thrown, trace, job, operation) {
  const fault = new Fault('AdaptorError', 'fail', recorded(thrown), {
    details: detailsOf(thrown),
  });
  locate(fault, trace, job);
  const known = job.operation(operation);
  if (known && !stacks.hasAnonymousJobFrame(trace)) {
    fault.line = known.line;
    fault.operationName = known.name;
    if (fault.at === undefined) fault.hide('at', job.begin(known));
  } else {
    showPosition(fault, trace, job);
  }
  return fault.hide('stack', stacks.cut(trace, job));
}

/**
 * The `error_type` of a step with this fault: the subtype of a crash, else the name.
 * @param {Fault} fault
 */
export function stepErrorType(fault) {
  return fault.severity === 'crash' && fault.subtype ? fault.subtype : fault.name;
}
