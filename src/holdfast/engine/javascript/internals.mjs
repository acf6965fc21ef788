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
  const setFlags = internalBinding?.('v8').setFlagsFromString ?? load('node:v8').setFlagsFromString;
  setFlags('--expose-gc');
  try {
    return vm.runInNewContext('gc');
  } finally {
    setFlags('--no-expose-gc');
  }
}

export const randomUUID = (inside('internal/crypto/random') ?? load('node:crypto')).randomUUID;

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
