// The program of conformance tests: the engine's own, with a Run that tells what the reference's
// runtime tells and takes what its plans may say. `overlay.py` lays it over the engine's modules.

import { Fault, messageOf } from './faults.mjs';
import { guard } from './guard.mjs';
import { serve } from './serve.mjs';
import { TracedRun } from './traced.mjs';

/**
 * Cases expect the host's own errors under their own name.
 * @param {unknown} error
 */
function byItsName(error) {
  const name = String(/** @type {Error} */ (error)?.name ?? 'Error');
  const fault = new Fault(name, undefined, messageOf(error));
  delete fault.source;
  return fault;
}

serve(TracedRun, guard(byItsName));
