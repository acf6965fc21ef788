/**
 * Judges texts for commands and tests: on standard input a line of JSON (a list of byte lengths)
 * and the texts; on standard output a list of verdicts of `checkSyntax`.
 */
import { readFileSync, writeSync } from 'node:fs';
import { checkSyntax } from './syntax.mjs';

const input = readFileSync(0);
const end = input.indexOf(10);
let offset = end + 1;
const verdicts = JSON.parse(input.subarray(0, end).toString()).map((/** @type {number} */ length) => {
  const text = input.subarray(offset, offset + length).toString();
  offset += length;
  return checkSyntax(text);
});
const out = Buffer.from(JSON.stringify(verdicts));
for (let sent = 0; sent < out.length; ) sent += writeSync(1, out, sent);
