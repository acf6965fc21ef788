// Prepares a process before it has a run, so that the run starts sooner
// (docs/research/engine-study.md section 3). The program itself comes compiled (`load.cjs`).

import { Linker } from './linker.mjs';
import { Operations } from './operations.mjs';
import { evaluate, prepareContext } from './scope.mjs';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** @returns {never} */
const noImports = () => {
  throw new Error('the trial imports nothing');
};

/** A step that does nothing. */
const TRIAL = 'export default [(state) => state];';

/**
 * Load the adaptors named in `specifiers` (keys of `adaptors`), and make what the first step needs.
 * An adaptor that cannot be loaded is skipped: the run that needs it reports why.
 * @param {string[]} specifiers
 * @param {Record<string, InstalledAdaptor>} [adaptors]
 */
export async function warm(specifiers, adaptors) {
  const linker = new Linker({ adaptors, log: silent });
  const loading = specifiers.map((specifier) => linker.preload(specifier));
  await Promise.allSettled(loading);
  prepareContext();
  // not in the context of the first step, in which nothing may have run
  const namespace = await evaluate(TRIAL, 'trial', undefined, noImports);
  await new Operations(namespace, { log: silent, onOperation() {} }).run({}, 0);
}
