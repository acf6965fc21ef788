// Writes the records of a run: start and end of steps, the result, the error (docs/journal.md).

import { Kind, holdText, send, stream } from './channel.mjs';
import { stamp } from './clock.mjs';
import { stepErrorType } from './faults.mjs';
import { randomUUID } from './internals.mjs';
import { byteLength } from './serialise.mjs';
import { withholding } from './state.mjs';

/**
 * @import { Fault } from './faults.mjs'
 * @import { Document } from './state.mjs'
 * @import { Step } from './step.mjs'
 */

const { stringify } = JSON;
/** Documents up to this many bytes are part of the record. */
const INLINE = 16 * 1024;
/** Characters of what else a record may hold (`holdfast.model.bodies`). */
const MESSAGE_LIMIT = 16 * 1024;
export const WORD_LIMIT = 1000;
const DETAILS_LIMIT = 32 * 1024;
const FACTS_LIMIT = 64 * 1024;
/** Characters of an input or an output that a recorded run keeps for its replay. */
const TAPE_LIMIT = 4 * 1024 * 1024;
/** Levels of lists and objects in details. */
const DETAILS_DEEPEST = 100;
/** The run process has one thread of execution; the protocol wants a number. */
const THREAD = 1;

export class Report {
  /**
   * Limits in MB; `saveOutputs`: whether the platform keeps the outputs of steps.
   * @param {{ payloadLimitMb?: number, saveOutputs: boolean, warn: (text: string) => void }} given
   */
  constructor({ payloadLimitMb, saveOutputs, warn }) {
    this.payloadLimitMb = payloadLimitMb;
    this.saveOutputs = saveOutputs;
    this.warn = warn;
  }

  /**
   * Say where the run is; `step` is `{id, name}`, `at` the operation that begins.
   * @param {string} phase
   * @param {{ id: string, name?: string }} [step]
   * @param {{ operation: number, name?: string, line?: number }} [at]
   */
  phase(phase, step, at) {
    const { operation, name: call, line } = at ?? {};
    send(Kind.PHASE, {
      phase, step: word(step?.id), name: word(step?.name), operation, call: word(call), line,
    });
  }

  /**
   * Something about a request that is told with what is told next.
   * @param {Bag} body
   */
  requestSoon(body) {
    holdText(Kind.REQUEST, stringify({ timestamp: stamp(), ...body }));
  }

  /**
   * A request leaves, or has ended.
   * @param {Bag} body
   */
  request(body) {
    send(Kind.REQUEST, { timestamp: stamp(), ...body });
  }

  /**
   * Open a step; gives it its id.
   * @param {Step} step
   */
  stepStart(step) {
    step.id = randomUUID();
    // the step's code runs only after the next phase record
    holdText(Kind.STEP_START, stringify({
      step_id: step.id,
      job_id: word(step.plan.id),
      input_dataclip_id: step.inputClip,
      timestamp: stamp(),
    }));
  }

  /**
   * Close a step, however it ended; `fault` is what ended it, undefined on success.
   * @param {Step} step
   * @param {Fault | undefined} fault
   */
  stepComplete(step, fault) {
    const { document } = step;
    // a stopped step has no output: an empty document would look like a result
    const stopped = fault !== undefined && fault !== step.fault;
    const { job, system } = step.mem ?? step.measure.memory();
    const output = stopped ? { output: { omitted: true } } : this.#output(step, document);
    send(Kind.STEP_COMPLETE, {
      step_id: step.id,
      job_id: word(step.plan.id),
      timestamp: stamp(),
      duration: step.measure.elapsed,
      thread_id: THREAD,
      mem: { job, system },
      reason: fault ? reasonOf(fault, stopped) : 'success',
      error_type: fault ? shortened(stepErrorType(fault), WORD_LIMIT) : null,
      error_message: fault ? shortened(fault.message) : null,
      position: fault?.at,
      next: step.next.map(word),
      ...output,
      ...(stopped ? {} : this.#response(step)),
      measures: step.measure.report(),
      facts: factsOf(step, fault),
      ...this.#tape(step),
    });
  }

  /**
   * Where the run is recorded or replayed: what clock and random numbers said, the credential, what
   * the run began with and what the step left, all without secrets.
   * @param {Step} step
   * @returns {{ tape?: RecordedDocument }}
   */
  #tape({ run, configuration, document }) {
    const segment = run.tape?.end();
    if (segment === undefined) return {};
    const { secrets, begun } = run;
    run.begun = undefined;
    const clean = (/** @type {string | undefined} */ text) => (
      text !== undefined && text.length <= TAPE_LIMIT ? secrets.scrub(text) : undefined
    );
    const text = stringify({
      ...segment,
      configuration: secrets.scrubValue(configuration),
      input: clean(begun),
      output: clean(document?.text),
    });
    return { tape: text.length <= INLINE ? { inline: text } : stream(text) };
  }

  /**
   * @param {Step} step
   * @param {Document | undefined} document
   */
  #output(step, document) {
    if (document === undefined) {
      step.clip = randomUUID();
      return { output_dataclip_id: step.clip, output: { inline: '{}' } };
    }
    step.measure.stateOut = document.bytes;
    document.withheld = withholding(document, this.payloadLimitMb);
    if (document.withheld) {
      const { largest_key: key } = document.withheld;
      this.warn('Dataclip exceeds payload limit: output will not be sent back to the app.'
        + (key ? ` The largest key is "${key}".` : ''));
      return { output: document.withheld };
    }
    step.clip = document.clip = randomUUID();
    if (!this.saveOutputs) return { output_dataclip_id: document.clip, output: { omitted: true } };
    if (!isObjectText(document.text)) this.warn(wrappedNote(step));
    return { output_dataclip_id: document.clip, ...this.#document('output', document) };
  }

  /**
   * `{[key]: document}`; with `wrapped` if the platform wants an object and the value is not one.
   * @param {string} key
   * @param {Document} document
   * @returns {Record<string, RecordedDocument | true | undefined>}
   */
  #document(key, document) {
    const wrapped = isObjectText(document.text) ? undefined : true;
    const text = wrapped ? `{"data":${document.text}}` : document.text;
    const small = text.length <= INLINE && document.bytes <= INLINE;
    return { [key]: small ? { inline: text } : stream(text), wrapped };
  }

  /**
   * What the step answers to the caller of a webhook; as a document when it is large.
   * @param {Step} step
   * @returns {{ webhook_response_document?: RecordedDocument }}
   */
  #response(step) {
    const text = step.document?.response;
    if (text === undefined) return {};
    const small = byteLength(text) <= INLINE;
    return { webhook_response_document: small ? { inline: text } : stream(text) };
  }

  /**
   * The workflow ended. `final`: from `compose`; `fault`: of the first leaf that failed.
   * @param {{ document?: Document, clip?: string }} final
   * @param {Fault | undefined} fault
   */
  result({ document, clip }, fault) {
    const withheld = document && !clip ? withholding(document, this.payloadLimitMb) : undefined;
    const state = withheld ? { final_state: withheld }
      : document ? this.#document('final_state', document) : {};
    send(Kind.RESULT, {
      timestamp: stamp(),
      reason: fault ? reasonOf(fault, false) : 'success',
      error_type: fault ? shortened(fault.name, WORD_LIMIT) : null,
      error_message: fault ? shortened(fault.message) : null,
      final_dataclip_id: clip,
      ...state,
    });
  }

  /**
   * The run cannot go on. `step`: job id of the step at fault, where there is one.
   * @param {Fault} fault
   * @param {string | undefined} step
   */
  runError(fault, step) {
    send(Kind.RUN_ERROR, {
      timestamp: stamp(),
      error_type: shortened(fault.name, WORD_LIMIT),
      error_message: shortened(fault.message),
      severity: reasonOf(fault, true),
      step: word(step),
      subtype: fault.subtype && shortened(fault.subtype, WORD_LIMIT),
      position: fault.at,
      details: fitting(fault.details ?? fault.edge),
      facts: fault.edge && { edge: fault.edge },
    });
  }
}

/**
 * @param {Step} step
 * @param {Fault | undefined} fault
 * @returns {Bag | undefined}
 */
function factsOf({ findings }, fault) {
  const facts = fault?.facts ?? (findings.length > 0 ? { findings } : undefined);
  return facts === undefined || stringify(facts).length <= FACTS_LIMIT ? facts : { findings };
}

const REASONS = new Set(['fail', 'crash', 'kill', 'exception']);

/**
 * A fault's reason. Job code may have invented a severity, or left it out.
 * @param {Fault} fault
 * @param {boolean} stopped
 * @returns {string}
 */
export function reasonOf({ severity }, stopped) {
  if (typeof severity === 'string' && REASONS.has(severity)) return severity;
  return stopped ? 'crash' : 'fail';
}

/**
 * @param {unknown} message
 * @param {number} [limit]
 */
export function shortened(message, limit = MESSAGE_LIMIT) {
  const text = typeof message === 'string' ? message : String(stringify(message));
  if (text.length <= limit) return text;
  const note = `… [cut: ${text.length} characters in all]`;
  return text.slice(0, limit - note.length) + note;
}

/**
 * A name or an id as a text; undefined where there is none.
 * @param {unknown} value
 */
function word(value) {
  return value === undefined || value === null ? undefined : String(value).slice(0, WORD_LIMIT);
}

/**
 * Details as they are, or only their type.
 * @param {unknown} details
 */
function fitting(details) {
  if (isDeep(details, DETAILS_DEEPEST)) return { cut: 'details that are nested too deeply' };
  const length = details === undefined ? 0 : stringify(details).length;
  return length <= DETAILS_LIMIT ? details : { cut: `${length} characters of details` };
}

/**
 * Whether lists and objects are nested more than `most` levels deep.
 * @param {unknown} value
 * @param {number} most
 * @returns {boolean}
 */
function isDeep(value, most) {
  if (typeof value !== 'object' || value === null) return false;
  return most === 0 || Object.values(value).some((item) => isDeep(item, most - 1));
}

/** @param {string} text */
const isObjectText = (text) => text.startsWith('{');

/** @param {Step} step */
function wrappedNote(step) {
  return `WARNING: step ${step.label} returned something that is no object; `
    + 'it is kept as {"data": …}.';
}
