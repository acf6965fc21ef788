// Tells what loading an adaptor gives and leaves behind: names, kinds, names inside of namespaces.
// Two files of one adaptor that tell the same may stand for each other
// (holdfast.adaptors.flatten). Usage: node shape.mjs LOADER FILE; LOADER is the engine's
// joined.mjs. The answer is the last line; for a joined file it has its code cache in it.

import { pathToFileURL } from 'node:url';

const DEPTH = 3; // namespaces of namespaces, such as `util.http`

/** What can be seen of a value from outside: enough to tell two builds of it apart. */
function shape(value, depth, seen = new Set()) {
  const kind = value === null ? 'null' : typeof value;
  if (kind === 'object' || kind === 'function') {
    if (seen.has(value)) return 'seen before';
    seen.add(value);
    const own = depth > 0 ? inside(value, depth, seen) : undefined;
    const name = kind === 'function' ? `${value.name}/${value.length}` : value.constructor?.name;
    return [kind, name, own];
  }
  // values of their own kind may differ from load to load: times, random numbers
  return kind;
}

function inside(value, depth, seen) {
  const found = {};
  for (const key of Object.keys(value).sort()) {
    found[key] = shape(value[key], depth - 1, seen);
  }
  return found;
}

const [loader, file] = process.argv.slice(2);
const { JOINED, evaluate } = await import(pathToFileURL(loader).href);
const before = new Set(Object.getOwnPropertyNames(globalThis));
let namespace;
let script;
if (file.endsWith(JOINED)) ({ namespace, script } = evaluate(file));
else namespace = await import(pathToFileURL(file).href);
const globals = Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name)).sort();
const cache = script?.createCachedData().toString('base64');
const answer = { globals, names: inside(namespace, DEPTH, new Set()), cache };
process.stdout.write(`\n${JSON.stringify(answer)}\n`, () => process.exit(0));
