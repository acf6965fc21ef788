// V8 judges the syntax of every step before the first one starts.

import { Fault } from './faults.mjs';
import { JobText } from './jobtext.mjs';
import { checkSyntax } from './syntax.mjs';

/** @import { CompiledStep } from './compiled.mjs' */

/**
 * Raise CompileError for the first step whose text is not a module. `modules`: CompiledSteps by
 * index; `phase` is called for each step; `tell(line)` for each line that the author sees.
 * @param {Map<number, CompiledStep>} modules
 * @param {(phase: string, step: { id: string, name: string }) => void} phase
 * @param {(line: string) => void} tell
 */
export function judge(modules, phase, tell) {
  for (const compiled of modules.values()) {
    if (!compiled.compiled) continue;
    phase('compile', { id: compiled.step, name: compiled.name });
    const verdict = compiled.judge(checkSyntax);
    if (verdict !== null) throw refusal(compiled, verdict, tell);
  }
}

/**
 * @param {CompiledStep} compiled
 * @param {Verdict} verdict
 * @param {(line: string) => void} tell
 */
function refusal(compiled, { message, line, column }, tell) {
  const text = new JobText({ name: compiled.name, id: compiled.step }, compiled);
  const at = typeof line === 'number' ? { line, column: column ?? 1 } : undefined;
  const where = at ? ` (${at.line}:${at.column})` : '';
  const fault = new Fault('CompileError', 'crash', `${text.name}: ${message}${where}`);
  fault.source = 'engine';
  fault.hide('step', compiled.step);
  tell('Error occurred during compilation');
  tell(fault.message);
  if (at) {
    fault.hide('at', text.shown(at));
    for (const row of text.frame(at) ?? []) tell(row);
  }
  return fault;
}
