// What is taken from Node.js's own insides, and what stands in for it where Node.js does not show
// them (`--expose-internals`). The public modules `node:crypto` and `node:v8` have the same, and
// load seventy others: a quarter of the processor time that a start of Node.js takes.

import { createRequire } from 'node:module';
import vm from 'node:vm';

const load = createRequire(import.meta.url);

/** @param {string} name */
function inside(name) {
  try {
    return load(name);
  } catch {
    return undefined;
  }
}

export const internalBinding = inside('internal/test/binding')?.internalBinding;

/** Taken before `closeInsides` takes it from everybody else. @type {(flag: string) => void} */
export const setFlags = internalBinding?.('v8').setFlagsFromString
  ?? ((/** @type {string} */ flag) => load('node:v8').setFlagsFromString(flag));

/** @type {(() => void) | undefined} */
let collect;

/**
 * Collect garbage now. For moments at which much of it is known to lie about: V8 by itself lets a
 * heap grow to half as much again before it looks.
 */
export function collectGarbage() {
  collect ??= collector();
  collect();
}

/**
 * V8 hands its collector to the contexts that are made while this flag is set; here to one.
 * @returns {() => void}
 */
function collector() {
  setFlags('--expose-gc');
  try {
    return vm.runInNewContext('gc');
  } finally {
    setFlags('--no-expose-gc');
  }
}

/** Modules that show everything in a process to whoever asks, this program's own values too. */
const REVEALING = new Set(['inspector', 'inspector/promises', 'repl']);

/**
 * Close what this program took its own insides through, before code of adaptors and jobs runs.
 *
 * With some of V8's flags JavaScript becomes machine code of its author's choice: from now on only
 * this module can set one. (V8's own `--freeze-flags-after-init` costs each run 4 ms, because
 * Node.js then does not take the code that it was built with.)
 */
export function closeInsides() {
  const binding = internalBinding?.('v8');
  if (binding !== undefined) binding.setFlagsFromString = refuser('v8.setFlagsFromString');
  for (const name of ['binding', '_linkedBinding']) {
    Object.defineProperty(process, name, { value: refuser(`process.${name}`) });
  }
  const builtin = inside('internal/modules/helpers')?.loadBuiltinModule('fs').constructor;
  if (builtin === undefined) return;
  const open = [...builtin.map.keys()].filter((/** @type {string} */ id) => (
    builtin.canBeRequiredByUsers(id) && !id.startsWith('internal/') && !REVEALING.has(id)
  ));
  builtin.setRealmAllowRequireByUsers(open);
}

/** @param {string} name */
function refuser(name) {
  return () => {
    throw Object.assign(new Error(`${name} is not for runs`), { code: 'ERR_ACCESS_DENIED' });
  };
}

/**
 * @import * as crypto from 'node:crypto'
 * @type {Pick<typeof crypto, 'randomUUID' | 'randomInt' | 'randomFillSync'>}
 */
export const random = inside('internal/crypto/random') ?? load('node:crypto');

export const randomUUID = random.randomUUID;

/** Gives the bytes of JavaScript's heap that are in use. */
export const heapBytes = heapReader() ?? (() => process.memoryUsage().heapUsed);

function heapReader() {
  const binding = internalBinding?.('v8');
  if (typeof binding?.updateHeapStatisticsBuffer !== 'function') return undefined;
  const { heapStatisticsBuffer: numbers, kUsedHeapSizeIndex: index } = binding;
  const update = binding.updateHeapStatisticsBuffer.bind(binding);
  return () => {
    update();
    return numbers[index];
  };
}
