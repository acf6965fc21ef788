/**
 * Evaluates pairs of modules: a literal as it stands, and the same step with its data taken out.
 * Standard input: a list of {plain, frames} with `frames` the MODULE frames (base64). Prints for
 * each null or what differs. argv[2]: the folder of the engine's JavaScript.
 */
import assert from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';

const engine = (name) => import(pathToFileURL(path.join(process.argv[2], name)).href);
const { ModuleReader } = await engine('compiled.mjs');
const { checkSyntax } = await engine('syntax.mjs');

async function evaluate(code, dataModule) {
  const context = vm.createContext({});
  const data = dataModule?.(context);
  const module = new vm.SourceTextModule(code, { context });
  await module.link((specifier) => {
    if (specifier === 'holdfast:data') return data;
    throw new Error(`import of ${specifier}`);
  });
  await module.evaluate();
  return { probe: module.namespace.probe, realm: vm.runInContext('[Object.prototype, Array.prototype]', context) };
}

/** Everything a program can see of plain data, realms apart. */
function describe(value, realm) {
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? String(value);
  const prototype = realm.indexOf(Object.getPrototypeOf(value));
  const own = Reflect.ownKeys(value).map((key) => {
    const { value: item, ...flags } = Object.getOwnPropertyDescriptor(value, key);
    return [key, Object.values(flags).join(), describe(item, realm)];
  });
  return JSON.stringify([prototype, Object.isExtensible(value), own]);
}

async function compare({ plain, frames }) {
  const reader = new ModuleReader();
  const [step] = frames.map((frame) => reader.take(Buffer.from(frame, 'base64'))).filter(Boolean);
  const error = step.judge(checkSyntax);
  if (error !== null) return `refused: ${JSON.stringify(error)}`;
  const left = await evaluate(plain);
  const right = await evaluate(step.code, (context) => step.dataModule(context));
  for (let time = 0; time < 2; time++) {
    const [one, other] = [left.probe(), right.probe()];
    const [wanted, found] = [describe(one, left.realm), describe(other, right.realm)];
    if (wanted !== found) return `${wanted.slice(0, 300)} is not ${found.slice(0, 300)}`;
  }
  // identity: a function makes a new object each time, a variable keeps its own
  const same = (probe) => {
    const [first, second] = [probe(), probe()];
    return first === second;
  };
  if (typeof left.probe() === 'object' && same(left.probe) !== same(right.probe)) return 'identity differs';
  return step.code.includes('holdfast:data') ? null : 'nothing was taken out';
}

const items = JSON.parse(readFileSync(0, 'utf8'));
const results = [];
for (const item of items) {
  try {
    results.push(await compare(item));
  } catch (error) {
    assert(error instanceof Error || error?.message);
    results.push(`${error.message}`);
  }
}
writeFileSync(1, JSON.stringify(results));
