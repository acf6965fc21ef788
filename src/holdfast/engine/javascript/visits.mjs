// A run with a process for each step (docs/engine.md, "A process for each step").
//
// The conductor goes through the plan. It has no credentials, no adaptors, and runs no code of the
// author. For each step it asks the shim for a process of its own, which executes that one step
// with that step's credential and ends.

import { Kind, pass, receive, send, sendPieces } from './channel.mjs';
import { Fault } from './faults.mjs';
import { Plan } from './plan.mjs';
import { WORD_LIMIT, reasonOf, shortened } from './report.mjs';
import { Run } from './run.mjs';
import { Document } from './state.mjs';

/**
 * @import { Visit } from './run.mjs'
 *
 * What a step's process is asked for; `requests`: how many the processes before it have made.
 * @typedef {{ step: string, input_dataclip_id?: string, requests: number }} Asked
 */

const { parse, stringify } = JSON;

export class Conductor extends Run {
  async execute() {
    const { workflow } = this.rawPlan;
    const bodies = (workflow?.steps ?? []).map(({ configuration }) => configuration);
    this.#tell([workflow?.credentials, ...bodies]);
    await super.execute();
  }

  async initial() {
    const document = await super.initial();
    if (document?.value) {
      this.#tell([document.value.configuration]);
      document.value = undefined; // only its text is needed here
    }
    return document;
  }

  /**
   * Tell the shim secrets that it has not given itself: what each process says is cleaned of all.
   * @param {unknown[]} bodies
   */
  #tell(bodies) {
    const known = bodies.filter((body) => typeof body === 'object' && body !== null);
    if (known.length > 0) send(Kind.SECRETS, known);
  }

  /**
   * Have a step executed by a process of its own.
   * @param {Plan} plan
   * @param {string} id
   * @param {Document | undefined} input
   * @param {string | undefined} clip
   * @returns {Promise<Visit>}
   */
  async visit(plan, id, input, clip) {
    const planned = plan.step(id);
    const index = plan.steps.indexOf(planned);
    const module = this.modules.get(index);
    // its conditions are code of the author
    if (module === undefined && !plan.looksAtState(planned)) return super.visit(plan, id, input, clip);
    if (module !== undefined) this.executed += 1;
    send(Kind.ASK, { step: String(planned.id), input_dataclip_id: clip });
    pass(Kind.PLAN, stringify(this.#reduced(index)));
    for (const part of module?.frames() ?? []) pass(Kind.MODULE, part);
    if (input) pass(Kind.INPUT, input.hand());
    pass(Kind.GO, '');
    return answer();
  }

  /**
   * The plan for one step: nothing of the others but their ids.
   * @param {number} index
   */
  #reduced(index) {
    const { workflow } = this.rawPlan;
    const steps = (workflow?.steps ?? []).map((step, number) => (
      number === index ? step : { id: step.id }
    ));
    return { ...this.rawPlan, workflow: { ...workflow, steps } };
  }
}

/**
 * Wait for what a step's process has left, until that process is gone.
 * @returns {Visit}
 */
function answer() {
  /** @type {{ next: string[], clip?: string, document: boolean, fault?: Bag } | undefined} */
  let left;
  /** @type {string[]} */
  const texts = [];
  const decoder = new TextDecoder();
  for (let frame = receive(); frame !== undefined; frame = receive()) {
    if (frame.kind === Kind.VISITED) left = parse(frame.body.toString());
    else if (frame.kind === Kind.INPUT) texts.push(decoder.decode(frame.body, { stream: true }));
    else break;
  }
  if (left === undefined) throw new Error('a step ended without saying how');
  const { next, clip, fault } = left;
  const document = left.document ? new Document(texts.join('')) : undefined;
  if (document) document.clip = clip;
  return {
    document, clip, next, fault: fault && new Fault(fault.name, fault.severity, fault.message),
  };
}

/** What the process of one step executes. */
export class OneStep extends Run {
  /**
   * `asked`: what the conductor wants.
   * @param {ConstructorParameters<typeof Run>[0]} given
   * @param {Asked} asked
   */
  constructor(given, asked) {
    super(given);
    this.asked = asked;
    this.requests.count = asked.requests;
    this.requests.exchanges = undefined; // this process does not know the secrets of the others
  }

  async execute() {
    const plan = new Plan(this.rawPlan, this.adaptorLog.console());
    this.requests.watch();
    this.linker = this.makeLinker();
    const { input_dataclip_id: clip } = this.asked;
    const input = this.input === undefined ? undefined : new Document(this.input);
    this.input = undefined;
    if (input) input.readers = 1;
    const { document, clip: left, next, fault } = await this.visit(plan, this.asked.step, input, clip);
    send(Kind.LEFT, {
      next,
      clip: left,
      document: document !== undefined,
      fault: fault && {
        name: shortened(fault.name, WORD_LIMIT),
        severity: reasonOf(fault, false),
        message: shortened(fault.message),
      },
    });
    if (document) sendPieces(Kind.HANDED, document.text);
  }
}
