// What this program uses of Node.js's internal modules, and replacements for a Node.js without
// `--expose-internals`. The public modules `node:crypto` and `node:v8` offer the same, but load
// seventy others, which takes a quarter of the processor time of a start.

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
 * Collect garbage now. Called when much garbage is known to exist, because V8 lets a heap grow by
 * half before it collects.
 */
export function collectGarbage() {
  collect ??= collector();
  collect();
}

/**
 * V8 gives its `gc` function to each context that is made while this flag is set; here to one.
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

/** Modules through which any code could read all values in the process, this program's too. */
const REVEALING = new Set(['inspector', 'inspector/promises', 'repl']);

/**
 * Close the access to internal modules, before code of adaptors and jobs runs.
 *
 * With some flags of V8, JavaScript could run any machine code. From now on only this module can
 * set a flag. (V8's own `--freeze-flags-after-init` costs each run 4 ms, because
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

/**
 * Count from now on how often random bytes are fetched in this thread, until `end` is called;
 * undefined where this Node.js does not let us.
 */
export function watchDraws() {
  const job = internalBinding?.('crypto').RandomBytesJob?.prototype;
  const run = job?.run;
  if (typeof run !== 'function') return undefined;
  const fetches = { count: 0, end: () => { job.run = run; } };
  job.run = function counted() {
    fetches.count += 1;
    return run.call(this);
  };
  return fetches;
}

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
