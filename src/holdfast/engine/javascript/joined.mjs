// Loads an adaptor that was joined into one file when it was installed (docs/adaptors.md,
// "Loading"): a function in CommonJS style, compiled with the code cache that lies beside it.

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import vm from 'node:vm';

/** Ending of joined files; their code cache has `.cache` behind it. */
export const JOINED = '.holdfast.cjs';

/**
 * Evaluate the joined file. Gives `{ namespace, script, rejected }`: what `import()` of the
 * original gives, the script, and whether there was a cache that V8 did not take (another version
 * or other flags): then it was compiled from its text.
 * @param {string} file
 */
export function evaluate(file) {
  // pure ASCII by construction: a string of one byte per character
  const source = fs.readFileSync(file, 'latin1');
  const cachedData = readIfThere(`${file}.cache`);
  const script = new vm.Script(source, {
    filename: file,
    cachedData,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const module = { exports: {} };
  const body = script.runInThisContext();
  body(module.exports, createRequire(file), module, file, path.dirname(file));
  // the exports are getters, and `__esModule` is hidden: a namespace has neither
  const namespace = Object.fromEntries(Object.entries(module.exports));
  return { namespace, script, rejected: script.cachedDataRejected === true };
}

/** @param {string} file */
function readIfThere(file) {
  try {
    return fs.readFileSync(file);
  } catch {
    return undefined; // loads without it, only later
  }
}
