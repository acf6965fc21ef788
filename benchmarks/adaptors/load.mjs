// Loads one file and prints what that cost: node load.mjs FILE
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';

import { JOINED, evaluate } from '../../src/holdfast/engine/javascript/joined.mjs';

const started = performance.now();
const before = process.cpuUsage();
const file = process.argv[2];
if (file.endsWith(JOINED)) evaluate(file);
else await import(pathToFileURL(file).href);
const { user, system } = process.cpuUsage(before);
const rollup = fs.readFileSync('/proc/self/smaps_rollup', 'utf8');
const cost = {
  ms: performance.now() - started,
  cpu_ms: (user + system) / 1000,
  pss_mb: Number(/^Pss:\s+(\d+)/m.exec(rollup)[1]) / 1024,
};
process.stdout.write(JSON.stringify(cost), () => process.exit(0));
