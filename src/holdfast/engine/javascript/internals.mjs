// What is taken from Node.js's own insides, and what stands in for it where Node.js does not show
// them (`--expose-internals`). The public modules `node:crypto` and `node:v8` have the same, and
// load seventy others: a quarter of the processor time that a start of Node.js takes.

import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);

function inside(name) {
  try {
    return load(name);
  } catch {
    return undefined;
  }
}

export const internalBinding = inside('internal/test/binding')?.internalBinding;

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
