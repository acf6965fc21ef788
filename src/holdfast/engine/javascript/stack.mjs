// Stack traces as V8 writes them: whose code threw, and where (docs/spec/runtime.md 8.3, 8.4).

/** @import { JobText } from './jobtext.mjs' */

/** What the module of a step is called in stack traces. */
export const JOB_MODULE = 'vm:module(0)';
export const GLOBALS_MODULE = 'vm:module(globals)';

const OWN = new URL('.', import.meta.url).href;
const OWN_PATH = decodeURIComponent(new URL('.', import.meta.url).pathname);
const ADAPTOR = '@openfn/language-';
const FOREIGN = /@openfn\/language-|packages\/.*\/dist|vm:module|node_modules/;
const POSITION = /:(\d+):(\d+)\)?$/;
/** A frame of a function without a name, in the step's module or in the workflow's globals. */
const ANONYMOUS = /at vm:module\(/;

/**
 * `{head, frames}` of a thrown value with a stack, else undefined. Never throws.
 * @param {any} thrown
 * @returns {Trace | undefined}
 */
export function read(thrown) {
  let text;
  try {
    text = thrown.stack;
  } catch {
    return undefined;
  }
  if (typeof text !== 'string' || text === '') return undefined;
  const lines = text.split('\n');
  const first = lines.findIndex((line) => /^\s+at /.test(line));
  if (first < 0) return { head: lines[0], frames: [] };
  return { head: lines.slice(0, first).join('\n'), frames: lines.slice(first) };
}

/**
 * Whether the reference would call this an adaptor's error: the first frame of anybody's code is
 * not an anonymous one of the job's. Errors in *named* helpers of a job are counted as adaptor
 * errors too (docs/compatibility.md 1: same severity and flow).
 * @param {Trace} trace
 */
export function fromAdaptor({ frames }) {
  for (const frame of frames) {
    if (frame.includes(OWN) || frame.includes(OWN_PATH)) return false;
    if (FOREIGN.test(frame)) return !ANONYMOUS.test(frame);
  }
  return false;
}

/** @param {Trace} trace */
export function hasAnonymousJobFrame({ frames }) {
  return frames.some((frame) => ANONYMOUS.test(frame));
}

/**
 * Line and column (from 1) of the first frame in the job's module, or undefined.
 * @param {Trace} trace
 */
export const jobPosition = (trace) => positionIn(JOB_MODULE, trace);

/**
 * The same in the workflow's globals; undefined unless they come before the step's own code.
 * @param {Trace} trace
 */
export function globalsPosition(trace) {
  const first = trace.frames.find((frame) => frame.includes('vm:module('));
  return first?.includes(GLOBALS_MODULE) ? positionIn(GLOBALS_MODULE, trace) : undefined;
}

/**
 * @param {string} module
 * @param {Trace} trace
 * @returns {Position | undefined}
 */
function positionIn(module, { frames }) {
  const frame = frames.find((line) => line.includes(module) && POSITION.test(line));
  const found = frame === undefined ? null : POSITION.exec(frame);
  if (found === null) return undefined;
  const [, line, column] = found;
  return { line: Number(line), column: Number(column) };
}

/**
 * The stack for people: the author's frames at their true positions, and the adaptors'.
 * @param {Trace} trace
 * @param {JobText} job
 */
export function cut({ head, frames }, job) {
  const kept = [head.split('\n')[0]];
  for (const frame of frames) {
    if (frame.includes(JOB_MODULE)) kept.push(mapped(frame, job));
    else if (frame.includes('vm:module')) kept.push(frame);
    else if (frame.includes(ADAPTOR)) kept.push(`    ${tail(frame)}`);
  }
  return kept.join('\n');
}

/** @param {string} frame */
function tail(frame) {
  return frame.slice(frame.lastIndexOf(ADAPTOR));
}

/**
 * @param {string} frame
 * @param {JobText} job
 */
function mapped(frame, job) {
  return frame.replace(/:(\d+):(\d+)(\)?)$/, (_, line, column, close) => {
    const at = job.map(Number(line), Number(column));
    return `:${at.line}:${at.column}${close}`;
  });
}
