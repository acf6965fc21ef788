// Asks the reference's own parser what it makes of command lines and environments.
//
//     node ask.mjs CHECKOUT < cases.json > results.json
//
// CHECKOUT is a checkout of OpenFn/kit in which `packages/ws-worker` has its dependencies. Each
// case is {"argv": [...], "env": {...}}; its result is what the parser returns, or {"error"}.
import fs from 'node:fs';
import module from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const worker = path.resolve(process.argv[2], 'packages/ws-worker');
const source = path.join(worker, 'src/util/cli.ts');

// Its two other imports: a type, and constants that stand in a file with much else.
const constants = fs
  .readFileSync(path.join(worker, 'src/channels/worker-queue.ts'), 'utf8')
  .match(/export const DEFAULT_\w+ = [^;]+;/g);
const stub = `data:text/javascript,${encodeURIComponent(
  `${constants.join('\n')}\nexport const LogLevel = null;`
)}`;
module.registerHooks({
  resolve: (name, context, next) =>
    /logger|worker-queue/.test(name) ? { url: stub, shortCircuit: true } : next(name, context),
  load: (url, context, next) =>
    url.endsWith('cli.ts')
      ? {
          format: 'module',
          source: module.stripTypeScriptTypes(fs.readFileSync(source, 'utf8')),
          shortCircuit: true,
        }
      : next(url, context),
});
const { default: parse } = await import(pathToFileURL(source));

// JSON has no word for these two.
const spell = (_, value) =>
  Number.isNaN(value) ? 'NaN' : value === undefined ? 'undefined' : value;
const results = [];
const write = process.stdout.write.bind(process.stdout);
for (const { argv, env } of JSON.parse(fs.readFileSync(0, 'utf8'))) {
  process.env = { ...env };
  try {
    results.push(parse(['node', 'start.js', ...argv]));
  } catch (error) {
    results.push({ error: error.message });
  }
}
write(JSON.stringify(results, spell));
