// Making a process ready before there is a run for it (engine-study section 3): what is loaded
// here costs the run nothing.

import { Linker } from './linker.mjs';
import { loadJob } from './scope.mjs';
import { Operations } from './operations.mjs';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** A step that does nothing, with everything that the engine adds to a step. */
const TRIAL = { code: 'export default [(state) => state];' };

/**
 * Load the adaptors named in `specifiers` (keys of `adaptors`) and go once through a step. An
 * adaptor that cannot be loaded is left: the run that needs it says why.
 */
export async function warm(specifiers, adaptors) {
  const linker = new Linker({ adaptors, log: silent });
  const loading = specifiers.map((specifier) => linker.preload(specifier));
  await Promise.allSettled(loading);
  const { namespace } = await loadJob(TRIAL, {
    console: {}, state: {}, link: () => undefined,
  });
  const operations = new Operations(namespace, { log: silent, onOperation() {} });
  await operations.run({}, 0);
}
