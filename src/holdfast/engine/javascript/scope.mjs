// The globals of a step's code: one fresh context per step, with the names of docs/spec/runtime.md
// 4.6 and docs/compatibility.md 5. It separates for convenience; the sandbox is what protects.

import vm from 'node:vm';

import { release } from './channel.mjs';
import { Fault } from './faults.mjs';
import { isForked, lendRandom } from './forked.mjs';
import { GLOBALS_MODULE, JOB_MODULE } from './stack.mjs';

/**
 * @import { CompiledStep } from './compiled.mjs'
 * @import { Tape } from './tape.mjs'
 *
 * @typedef {(specifier: string, context: vm.Context) => vm.Module | Promise<vm.Module>} Link
 */

const { freeze } = Object;
/** Literals that the compiler took out of a step's text. */
const DATA_MODULE = 'holdfast:data';

/**
 * A frozen wrapper around a function of the host, so that the original is not frozen.
 * @param {string} name
 * @param {(...args: any[]) => unknown} call
 */
function lend(name, call) {
  const lent = (/** @type {unknown[]} */ ...args) => call(...args);
  Object.defineProperty(lent, 'name', { value: name });
  return freeze(lent);
}

/** Buffer with its factories, without its constructor. */
function bufferFactory() {
  const own = /** @type {Bag} */ (/** @type {unknown} */ (Buffer));
  function LentBuffer() {
    throw new Error('Do not call Buffer() constructor directly. Use Buffer.from() instead.');
  }
  const factory = /** @type {Bag} */ (LentBuffer);
  for (const name of Object.getOwnPropertyNames(Buffer)) {
    if (['length', 'name', 'prototype'].includes(name)) continue;
    const value = own[name];
    factory[name] = typeof value === 'function' ? value.bind(Buffer) : value;
  }
  Object.defineProperty(LentBuffer, 'name', { value: 'Buffer' });
  LentBuffer.prototype = Buffer.prototype;
  return freeze(LentBuffer);
}

/** Names beyond the language: those of the reference, then those of docs/compatibility.md 5. */
function names() {
  return {
    setTimeout: lend('setTimeout', setTimeout),
    clearTimeout: lend('clearTimeout', clearTimeout),
    setInterval: lend('setInterval', setInterval),
    clearInterval: lend('clearInterval', clearInterval),
    parseInt: lend('parseInt', parseInt),
    parseFloat: lend('parseFloat', parseFloat),
    Buffer: bufferFactory(),
    ...webNames(),
  };
}

/** Names of docs/compatibility.md 5, and our own. */
const WEB = new Set(['fetch', 'atob', 'btoa', 'structuredClone', 'URL', 'URLSearchParams',
  'TextEncoder', 'TextDecoder', 'AbortController', 'Blob', 'Event', 'idempotent']);

function webNames() {
  const request = (/** @type {Parameters<typeof fetch>} */ ...args) => fetch(...args);
  /** @type {Bag} */
  const lent = { fetch: lend('fetch', request) };
  for (const [name, call] of Object.entries({ atob, btoa, structuredClone })) {
    lent[name] = lend(name, call);
  }
  return {
    ...lent, URL, URLSearchParams, TextEncoder, TextDecoder, AbortController, Blob, Event,
  };
}

/** @type {Tape | undefined} */
let tape;

/**
 * Contexts get the clock and the generator of `given` from now on.
 * @param {Tape} given
 */
export function useTape(given) {
  tape = given;
}

/** @type {Bag | undefined} */
let lent;
/**
 * An unused context, made ahead: V8 needs a millisecond for one.
 * @type {vm.Context | undefined}
 */
let ahead;

/** Make the context of the first step before there is a run. */
export function prepareContext() {
  ahead ??= bareContext();
}

/** A context with the names of the host. No code from strings, no WebAssembly. */
function bareContext() {
  lent ??= names();
  const context = vm.createContext(named({}, lent), {
    codeGeneration: { strings: false, wasm: false },
  });
  if (isForked()) lendRandom(vm.runInContext('Math', context));
  return context;
}

/**
 * A context with the names of the host, and `extra` names that replace them.
 * @param {Bag} extra
 * @returns {vm.Context}
 */
function makeContext(extra) {
  const context = ahead ?? bareContext();
  ahead = undefined;
  tape?.lend(context);
  return named(context, extra);
}

/**
 * @param {vm.Context} scope
 * @param {Bag} values
 */
function named(scope, values) {
  for (const [name, value] of Object.entries(values)) {
    // names that only we have are not enumerable; the job may replace any name
    const enumerable = !WEB.has(name);
    Object.defineProperty(scope, name, { value, enumerable, writable: true, configurable: true });
  }
  return scope;
}

/**
 * Globals of a run or workflow, frozen one level deep. They cannot replace names that the reference
 * gives.
 * @param {Bag | undefined} globals
 * @returns {Bag}
 */
function ownGlobals(globals) {
  /** @type {Bag} */
  const allowed = {};
  lent ??= names();
  for (const [name, value] of Object.entries(globals ?? {})) {
    if (name === 'console' || name === 'state') continue;
    if (Object.hasOwn(lent, name) && !WEB.has(name)) continue;
    allowed[name] = freeze(value);
  }
  return allowed;
}

/**
 * Evaluate a module as a step's module is; without a context, in that of the host.
 * @param {string} code
 * @param {string} identifier
 * @param {vm.Context | undefined} context
 * @param {(specifier: string) => vm.Module | Promise<vm.Module>} link
 * @returns {Promise<Bag>}
 */
export async function evaluate(code, identifier, context, link) {
  const module = new vm.SourceTextModule(code, { context, identifier });
  await module.link(link);
  release();
  await module.evaluate();
  return module.namespace;
}

/**
 * Evaluate a step's module (a CompiledStep). Returns `{namespace, forget()}`.
 * `link(specifier, context)` gives imported modules. V8 never collects a context that had a module,
 * so `forget` removes the state from it. Raises what the code raises; errors of the workflow's
 * globals are marked.
 * @param {CompiledStep} job
 * @param {{ console: object, state: Bag, globals?: Bag, workflowGlobals?: string, meta?: object,
 *   idempotent: (...given: any[]) => unknown, link: Link }} world
 */
export async function loadJob(job, { console, state, globals, workflowGlobals, meta, idempotent, link }) {
  const run = { idempotent: lend('idempotent', idempotent), ...ownGlobals(globals) };
  const shared = await loadGlobals(workflowGlobals, { ...run, console, state: {} });
  const context = makeContext({ ...run, ...shared, console, state });
  if (meta) Object.defineProperty(context, 'meta', { value: meta, enumerable: true });
  const namespace = await evaluate(job.code, JOB_MODULE, context, (specifier) => (
    specifier === DATA_MODULE ? job.dataModule(context) : link(specifier, context)
  ));
  return { namespace, forget: () => { context.state = undefined; } };
}

/**
 * The exports of the workflow's globals module; evaluated anew for every step.
 * @param {string | undefined} code
 * @param {Bag} extra
 */
async function loadGlobals(code, extra) {
  if (typeof code !== 'string' || code.trim() === '') return {};
  try {
    const context = makeContext(extra);
    const namespace = await evaluate(code, GLOBALS_MODULE, context, (specifier) => {
      throw new Fault('ImportError', 'crash', `Failed to import module "${specifier}"`);
    });
    return ownGlobals(namespace);
  } catch (error) {
    throw marked(error);
  }
}

/**
 * Put `[globals]` in front of the message, whatever was thrown.
 * @param {any} error
 */
function marked(error) {
  try {
    error.message = `[globals] ${error.message}`;
  } catch {
    return new Fault('JobError', 'fail', `[globals] ${String(error)}`);
  }
  return error;
}
