// A run process: waits for one run, executes it, leaves
// (docs/engine-protocol.md, "The engine's frames").

import { StringDecoder } from 'node:string_decoder';

import { Kind, receive, send } from './channel.mjs';
import { setClock } from './clock.mjs';
import { ModuleReader } from './compiled.mjs';
import { closeInsides } from './internals.mjs';
import { warm } from './standby.mjs';

/**
 * @import { CompiledStep } from './compiled.mjs'
 * @import { Protection } from './guard.mjs'
 * @import { Run } from './run.mjs'
 */

const { parse } = JSON;

/** Everything a run brings, put together from frames as they come. */
class Incoming {
  /** @type {RunOptions} */
  options = {};
  /** @type {Record<string, Bag>} */
  credentials = {};
  /** @type {Buffer[]} */
  plan = [];
  /** @type {Map<number, CompiledStep>} */
  modules = new Map();
  /**
   * The initial state; undefined when none was sent.
   * @type {string | undefined}
   */
  input = undefined;
  /** Keeps the bytes of a character that a frame cut through. */
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
      case Kind.PLAN:
        this.plan.push(Buffer.from(body));
        break;
      case Kind.MODULE:
        this.#module(body);
        break;
      case Kind.INPUT:
        // as text at once: a large state does not lie here as bytes and as text
        this.input = (this.input ?? '') + this.#decoder.write(body);
        break;
      default:
        throw new Error(`unknown frame ${kind}`);
    }
  }

  /** @param {Buffer} body */
  #module(body) {
    const step = this.#reader.take(body);
    if (step !== undefined) this.modules.set(step.index, step);
  }

  /** What `Run` wants; the pieces are let go of. */
  finish() {
    const { options, credentials, modules } = this;
    const plan = parse(joined(this.plan));
    const { input } = this;
    this.plan = [];
    this.input = undefined;
    return { options, credentials, modules, plan, input };
  }
}

/**
 * Text of the pieces, which are emptied.
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
    if (frame.kind === Kind.OPTIONS && incoming.options.preload) {
      await warm(incoming.options.preload, incoming.options.adaptors);
      ready();
    }
  }
  setClock();
  const run = new Kept(incoming.finish());
  protection.watch(run);
  try {
    await run.execute();
  } catch (error) {
    protection.fail(error);
  }
  return protection.leave(0);
}

/**
 * Serve one run and leave. Not awaited: a module that never settles would hide an empty event loop.
 * @param {typeof Run} Kept what executes the run
 * @param {Protection} protection
 */
export function serve(Kept, protection) {
  closeInsides();
  once(Kept, protection).catch((error) => protection.fail(error));
}
