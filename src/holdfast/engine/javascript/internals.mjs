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
const collect = takeCollector(/** @type {{ state?: () => void }} */ (globalThis));

/**
 * Collect garbage now. For moments at which much of it is known to lie about: V8 by itself lets a
 * heap grow to half as much again before it looks. Does nothing without V8's flag.
 */
export function collectGarbage() {
  collect?.();
}

/**
 * V8 gives its collector to every context that is made, under a name that it cannot be deleted from
 * (`--expose-gc-as=state`): take it from this one.
 * @param {{ state?: () => void }} realm
 */
function takeCollector(realm) {
  const { state } = realm;
  realm.state = undefined;
  return state;
}

const withoutCollector = new vm.Script('globalThis.state = undefined');

/**
 * As `vm.createContext`; nothing of V8's own is offered in it.
 * @param {vm.Context} names
 * @param {vm.CreateContextOptions} [options]
 * @returns {vm.Context}
 */
export function createContext(names, options) {
  const context = vm.createContext(names, options);
  withoutCollector.runInContext(context);
  return context;
}

/**
 * Close what this program took its own insides through, before code of adaptors and jobs runs.
 * V8's flags are frozen as well (`--freeze-flags-after-init`): with some of them JavaScript becomes
 * machine code of its author's choice.
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
    builtin.canBeRequiredByUsers(id) && !id.startsWith('internal/')
  ));
  builtin.setRealmAllowRequireByUsers(open);
}

/** @param {string} name */
function refuser(name) {
  return () => {
    throw Object.assign(new Error(`${name} is not for runs`), { code: 'ERR_ACCESS_DENIED' });
  };
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
