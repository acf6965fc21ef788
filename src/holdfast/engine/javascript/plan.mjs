// An execution plan: validation, defaults, compiled edges (docs/spec/runtime.md 1.2, 1.3, 1.6, 1.7).

import { Fault, describe, edgeFailed, messageOf, validation } from './faults.mjs';
import { Conditions } from './conditions.mjs';

/** @import { Condition } from './conditions.mjs' */

/**
 * Targets of a step's `next`, in JavaScript's property order.
 * @param {RawStep} step
 */
function targets(step) {
  if (typeof step.next === 'string') return [step.next];
  return Object.keys(step.next ?? {});
}

/**
 * Raise the first violation as ValidationError. Nothing has run yet.
 * @param {{ workflow: NonNullable<RawPlan['workflow']>, options: PlanOptions }} plan
 */
export function validate({ workflow, options }) {
  if (!Array.isArray(workflow?.steps) || workflow.steps.length === 0) {
    throw validation('The workflow has no steps');
  }
  const known = new Set(workflow.steps.filter((step) => step.id).map((step) => String(step.id)));
  if (typeof options.start === 'string' && !known.has(options.start)) {
    throw validation(`Could not find start job: ${options.start}`);
  }
  for (const step of workflow.steps) {
    for (const id of targets(step)) {
      if (!known.has(id)) throw validation(`Cannot find job: ${id}`);
    }
  }
  refuseCycles(graph(workflow.steps, (step) => typeof step.next !== 'string'));
  // The reference runs a cycle with a string edge: a condition or `end` may leave it. Without
  // either, the cycle could only run until the timeout.
  if (!options.end) refuseCycles(graph(workflow.steps, isAlwaysFollowed));
}

/**
 * Ids → the ids that follow, over the edges for which `counts(step, id)`.
 * @param {RawStep[]} steps
 * @param {(step: RawStep, id: string) => boolean} counts
 */
function graph(steps, counts) {
  return new Map(steps.map(
    (step) => [String(step.id), targets(step).filter((id) => counts(step, id))],
  ));
}

/**
 * @param {RawStep} step
 * @param {string} id
 */
const isAlwaysFollowed = ({ next }, id) => typeof next === 'string' || next?.[id] === true;

/**
 * Depth first, every step once: the reference follows every path and takes minutes for a plan
 * of 30 layers (docs/spec/runtime.md 13.4). Names the edge that closes the cycle.
 * @param {Map<string, string[]>} edges
 */
function refuseCycles(edges) {
  const done = new Set();
  for (const [root, first] of edges) {
    const path = new Set([root]);
    const stack = [{ id: root, next: first.values() }];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const { id, next } = top;
      const { value, done: exhausted } = next.next();
      if (exhausted) {
        stack.pop();
        path.delete(id);
        done.add(id);
      } else if (path.has(value)) {
        throw validation(`Circular dependency: ${id} <-> ${value}`);
      } else if (!done.has(value)) {
        path.add(value);
        stack.push({ id: value, next: (edges.get(value) ?? []).values() });
      }
    }
  }
}

export class Plan {
  /**
   * `raw`: the plan as it came. Raises ValidationError, or an Error that lists meaningless edges.
   * @param {RawPlan} raw
   * @param {object} hostConsole
   */
  constructor(raw, hostConsole) {
    const { workflow = {}, options } = raw ?? {};
    this.options = options ?? {};
    validate({ workflow: workflow ?? {}, options: this.options });
    this.id = raw.id;
    this.name = workflow.name ?? raw.id;
    this.globals = workflow.globals;
    this.credentials = workflow.credentials;
    this.end = this.options.end;
    this.steps = numbered(workflow.steps ?? []);
    this.byId = new Map(this.steps.map((step) => [String(step.id), step]));
    this.start = this.options.start ?? workflow.start ?? this.steps[0].id;
    if (!this.byId.has(String(this.start))) throw validation(`Could not find start job: ${this.start}`);
    this.conditions = new Conditions(hostConsole);
    /** @type {Map<PlannedStep, { to: string, always: boolean, condition?: Condition }[]>} */
    this.edges = new Map();
    this.#compileEdges();
  }

  #compileEdges() {
    /** @type {string[]} */
    const problems = [];
    for (const step of this.steps) {
      const edges = [];
      const next = typeof step.next === 'string' ? { [step.next]: true } : step.next ?? {};
      for (const [to, edge] of Object.entries(next)) {
        const rule = typeof edge === 'object' ? edge?.condition : edge;
        let condition;
        if (rule && typeof rule === 'string') {
          try {
            condition = this.conditions.compile(rule);
          } catch (error) {
            problems.push(`Failed to compile edge condition ${step.id}->${to} (${messageOf(error)})`);
          }
        }
        const disabled = typeof edge === 'object' && Boolean(edge?.disabled);
        // any other condition, such as `true` or a list, counts by its truth value
        const always = edge === true
          || (typeof edge === 'object' && Boolean(rule) && typeof rule !== 'string' && !disabled);
        edges.push({ to, always, condition: disabled ? undefined : condition });
      }
      this.edges.set(step, edges);
    }
    if (problems.length > 0) {
      throw Object.assign(new Fault('Error', undefined, problems.join('\n\n')), { source: undefined });
    }
  }

  /**
   * The step of that id. `validate` has made sure that every edge leads to one.
   * @param {string} id
   */
  step(id) {
    const step = this.byId.get(id);
    if (step === undefined) throw validation(`Cannot find job: ${id}`);
    return step;
  }

  /** @param {PlannedStep} step */
  #edgesOf(step) {
    return this.edges.get(step) ?? [];
  }

  /**
   * Whether a condition of this step may change the state it looks at.
   * @param {PlannedStep} step
   */
  mayChangeState(step) {
    return this.#edgesOf(step).some((edge) => edge.condition?.mayChange);
  }

  /**
   * Whether any condition of this step needs the state as a value.
   * @param {PlannedStep} step
   */
  looksAtState(step) {
    return this.#edgesOf(step).some((edge) => edge.condition !== undefined);
  }

  /**
   * Ids of the steps that follow. `state` is what leaves the step; `onEdge(to, taken)` is told
   * of each condition and of a doubt about it. Raises EdgeConditionError.
   * @param {PlannedStep} step
   * @param {unknown} state
   * @param {(to: string, taken: boolean, doubt?: Bag) => void} onEdge
   */
  next(step, state, onEdge) {
    const ids = [];
    for (const { to, always, condition } of this.#edgesOf(step)) {
      let taken = always;
      if (condition !== undefined) {
        try {
          const value = condition.test(state, step.id);
          taken = Boolean(value);
          onEdge(to, taken, doubtOf(condition, value));
        } catch (error) {
          throw edgeFailed(describe(error), { from: step.id, to, text: condition.text });
        }
      }
      if (taken) ids.push(to);
    }
    return ids;
  }
}

// As in `diagnosis/edge_rules.py`, where their meaning stands.
const ASIDE = /\/\*[\s\S]*?\*\/|\/\/.*|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`|\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+\//g;
const ASSIGNS = /(?<![\w$.])state(?:\??\.[\w$]+|\[[^\]]*\])+\s*=(?![=>])/;
const INSIDE = /=>|\bfunction\b/;
const LOOKED = 2000;

/**
 * Why a condition says nothing of the state.
 * @param {Condition} condition
 * @param {unknown} value
 * @returns {Bag | undefined}
 */
function doubtOf({ text, mayChange }, value) {
  if (typeof value === 'function') return { kind: 'function', text };
  if (!mayChange) return undefined;
  const [outside] = text.trim().slice(0, LOOKED).replace(ASIDE, ' ').split(INSIDE, 1);
  return ASSIGNS.test(outside) ? { kind: 'assignment', text } : undefined;
}

/**
 * The steps with an id each: `job-1`, `job-2`… over those that have none.
 * @param {RawStep[]} steps
 * @returns {PlannedStep[]}
 */
function numbered(steps) {
  let number = 0;
  return steps.map((step) => ({ ...step, id: step.id || `job-${++number}` }));
}
