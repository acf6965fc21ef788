// Starts `holdfast worker` and reads its log, one JSON object a line.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** @type {{command: string[], environment: Record<string, string>}} */
const given = JSON.parse(readFileSync(new URL('./holdfast.json', import.meta.url), 'utf8'));

/**
 * @param {string[]} args
 * @param {Record<string, string | undefined>} environment
 * @param {(entry: Record<string, unknown>, line: string) => void} onEntry
 */
export function startHoldfast(args, environment, onEntry) {
  const data = mkdtempSync(join(tmpdir(), 'holdfast-reference-'));
  const [program, ...before] = /** @type {[string, ...string[]]} */ (given.command);
  const env = { HOLDFAST_DATA: data, ...given.environment, ...environment };
  const child = spawn(program, [...before, 'worker', '--log-format', 'json', ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let last = '';
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      last = line;
      let entry;
      try {
        entry = JSON.parse(line);
      } catch {
        entry = { event: line };
      }
      onEntry(entry, line);
    });
  }
  const ended = new Promise((resolve) => {
    child.on('close', (code) => {
      if (code) console.error(`holdfast worker ended with ${code}: ${last}`);
      rmSync(data, { recursive: true, force: true });
      resolve(code);
    });
  });
  return { child, ended };
}
