// A run process: waits for one run, executes it, leaves
// (docs/engine-protocol.md, "The engine's frames").

import { StringDecoder } from 'node:string_decoder';

import { Kind, receive, send } from './channel.mjs';
import { setClock } from './clock.mjs';
import { ModuleReader } from './compiled.mjs';
import * as forked from './forked.mjs';
import { closeInsides } from './internals.mjs';
import { standIn } from './names.mjs';
import { warm } from './standby.mjs';
import { Conductor, OneStep } from './visits.mjs';

/**
 * @import { CompiledStep } from './compiled.mjs'
 * @import { Protection } from './guard.mjs'
 * @import { Run } from './run.mjs'
 * @import { Asked } from './visits.mjs'
 */

const { parse } = JSON;

/** All parts of a run, collected from frames. */
class Incoming {
  /** @type {RunOptions} */
  options = {};
  /** @type {Record<string, Bag>} */
  credentials = {};
  /**
   * The one step that this process is for, where each has its own.
   * @type {Asked | undefined}
   */
  asked = undefined;
  /** @type {Buffer[]} */
  plan = [];
  /** @type {Map<number, CompiledStep>} */
  modules = new Map();
  /**
   * The initial state; undefined when none was sent.
   * @type {string | undefined}
   */
  input = undefined;
  /** Keeps the bytes of a character that two frames share. */
  #decoder = new StringDecoder('utf8');
  #reader = new ModuleReader();

  /**
   * @param {number} kind
   * @param {Buffer} body
   */
  take(kind, body) {
    switch (kind) {
      case Kind.OPTIONS:
        this.options = parse(body.toString());
        break;
      case Kind.CREDENTIALS:
        this.credentials = parse(body.toString());
        break;
      case Kind.VISIT:
        this.asked = parse(body.toString());
        break;
      case Kind.PLAN:
        this.plan.push(Buffer.from(body));
        break;
      case Kind.MODULE:
        this.#module(body);
        break;
      case Kind.INPUT:
        // converted to text at once, so that a large state is not held as bytes and as text
        this.input = (this.input ?? '') + this.#decoder.write(body);
        break;
      default:
        throw new Error(`unknown frame ${kind}`);
    }
  }

  /** @param {Buffer} body */
  #module(body) {
    const conducts = this.options.process_per_step === true && this.asked === undefined;
    const step = this.#reader.take(body, conducts);
    if (step !== undefined) this.modules.set(step.index, step);
  }

  /**
   * The run; the pieces are let go of.
   * @param {typeof Run} Kept what executes a run with all its steps
   */
  begin(Kept) {
    if (this.asked !== undefined) return new OneStep(this.#finish(), this.asked);
    return new (this.options.process_per_step === true ? Conductor : Kept)(this.#finish());
  }

  #finish() {
    const { options, credentials, modules } = this;
    const plan = parse(joined(this.plan));
    const { input } = this;
    this.plan = [];
    this.input = undefined;
    return { options, credentials, modules, plan, input };
  }
}

/**
 * The text of the pieces; the list is emptied.
 * @param {Buffer[]} pieces
 */
function joined(pieces) {
  const whole = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  pieces.length = 0;
  return whole.toString('utf8');
}

/**
 * @param {typeof Run} Kept what executes the run
 * @param {Protection} protection
 */
async function once(Kept, protection) {
  const ready = () => send(Kind.READY, { pid: process.pid, node: process.versions.node });
  ready();
  const incoming = new Incoming();
  for (;;) {
    const frame = receive();
    if (frame === undefined) return protection.leave(0);
    if (frame.kind === Kind.GO) break;
    incoming.take(frame.kind, frame.body);
    if (frame.kind !== Kind.OPTIONS) continue;
    const { hosts, preload, adaptors, zygote } = incoming.options;
    if (hosts) standIn(hosts);
    if (zygote === 'child') forked.begin();
    if (zygote === 'parent') forked.prepare();
    if (preload) {
      await warm(preload, adaptors);
      if (zygote === 'parent') forked.settle();
      ready();
    }
  }
  setClock();
  const run = incoming.begin(Kept);
  protection.watch(run);
  try {
    await run.execute();
  } catch (error) {
    protection.fail(error);
  }
  return protection.leave(0);
}

/**
 * Serve one run and leave. Nothing awaits it: a module that never settles would keep the event loop
 * from getting empty.
 * @param {typeof Run} Kept what executes the run
 * @param {Protection} protection
 */
export function serve(Kept, protection) {
  closeInsides();
  once(Kept, protection).catch((error) => protection.fail(error));
}
