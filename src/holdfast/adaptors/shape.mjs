// Tells what loading a module gives and leaves behind: names, kinds, names inside of namespaces.
// Two files of one adaptor that tell the same may stand for each other
// (holdfast.adaptors.flatten). Usage: node shape.mjs FILE; the answer is the last line.

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

const before = new Set(Object.getOwnPropertyNames(globalThis));
const namespace = await import(pathToFileURL(process.argv[2]).href);
const globals = Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name)).sort();
const answer = JSON.stringify({ globals, names: inside(namespace, DEPTH, new Set()) });
process.stdout.write(`\n${answer}\n`, () => process.exit(0));
