// Takes MODULE frames as the engine does, judges and evaluates the step, prints peak memory (MB).
import { readFileSync, readSync } from 'node:fs';
import vm from 'node:vm';
import { ModuleReader } from '../../src/holdfast/engine/javascript/compiled.mjs';
import { checkSyntax } from '../../src/holdfast/engine/javascript/syntax.mjs';

const reader = new ModuleReader();
const head = Buffer.alloc(5);
const read = (buffer) => {
  let filled = 0;
  while (filled < buffer.length) {
    const count = readSync(0, buffer, filled, buffer.length - filled);
    if (count === 0) return false;
    filled += count;
  }
  return true;
};
let step;
while (read(head)) {
  const body = Buffer.alloc(head.readUInt32LE());
  read(body);
  step = reader.take(body) ?? step;
}
const error = step.judge(checkSyntax);
if (error) throw new Error(JSON.stringify(error));
const any = () => () => {};
const context = vm.createContext({ fn: any, each: any, get: any });
const module = new vm.SourceTextModule(step.code, { context });
const data = step.dataModule(context);
await module.link((specifier) => (specifier === 'holdfast:data' ? data : undefined));
await module.evaluate();
const peak = readFileSync('/proc/self/status', 'utf8').match(/VmHWM:\s+(\d+)/)[1];
console.log((Number(peak) * 1024) / 1e6);
