// Loads an adaptor that was joined into one file when it was installed (docs/adaptors.md,
// "Loading"): a function in CommonJS style, compiled with the code cache that lies beside it.

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import vm from 'node:vm';

/** Ending of joined files; their code cache has `.cache` behind it. */
export const JOINED = '.holdfast.cjs';

/**
 * Evaluate the joined file. Gives `{ namespace, script, rejected }`: the namespace that `import()`
 * of the original gives, the script, and whether V8 refused the code cache (another version or
 * other flags) and compiled the text instead.
 * @param {string} file
 */
export function evaluate(file) {
  // the file is pure ASCII: V8 keeps one byte per character
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
    return undefined; // it loads without the cache, only more slowly
  }
}
