// The engine's run process: waits for one run, executes it, leaves
// (docs/engine-protocol.md, "The engine's frames").

import { Kind, receive, send } from './channel.mjs';
import { setClock } from './clock.mjs';
import { guard } from './guard.mjs';
import { Run } from './run.mjs';

const { parse } = JSON;

/** Everything a run brings, put together from frames as they come. */
class Delivery {
  options = {};
  credentials = {};
  plan = [];
  modules = new Map();
  input = [];
  #filling;

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
        this.input.push(Buffer.from(body));
        break;
      default:
        throw new Error(`unknown frame ${kind}`);
    }
  }

  /** The first frame of a module begins with its header; the rest of its text follows. */
  #module(body) {
    let text = body;
    if (this.#filling === undefined) {
      const end = body.indexOf(10);
      const header = parse(body.toString('utf8', 0, end));
      this.#filling = { header, parts: [], bytes: 0 };
      text = body.subarray(end + 1);
    }
    const { header, parts } = this.#filling;
    parts.push(Buffer.from(text));
    this.#filling.bytes += text.length;
    if (this.#filling.bytes < header.bytes) return;
    this.modules.set(header.index, { ...header, code: joined(parts) });
    this.#filling = undefined;
  }

  /** What `Run` wants; the pieces are let go of. */
  finish() {
    const { options, credentials, modules } = this;
    const plan = parse(joined(this.plan));
    const input = this.input.length > 0 ? joined(this.input) : undefined;
    this.plan = this.input = undefined;
    return { options, credentials, modules, plan, input };
  }
}

/** Text of the pieces, which are emptied. */
function joined(pieces) {
  const whole = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  pieces.length = 0;
  return whole.toString('utf8');
}

/** What a standby process loads ahead of its run: adaptors, and the code paths of a run. */
async function prepare({ preload = [], adaptors = {} }) {
  const { warm } = await import('./standby.mjs');
  await warm(preload, adaptors);
}

async function main(protection) {
  const ready = () => send(Kind.READY, { pid: process.pid, node: process.versions.node });
  ready();
  const delivery = new Delivery();
  for (;;) {
    const frame = receive();
    if (frame === undefined) return protection.leave(0);
    if (frame.kind === Kind.GO) break;
    delivery.take(frame.kind, frame.body);
    if (frame.kind === Kind.OPTIONS && delivery.options.preload) {
      await prepare(delivery.options);
      ready();
    }
  }
  setClock();
  const run = new Run(delivery.finish());
  protection.watch(run);
  try {
    await run.execute();
  } catch (error) {
    protection.fail(error);
  }
  return protection.leave(0);
}

const protection = guard();
// not awaited at the top: a module that never settles would hide an empty event loop
main(protection).catch((error) => protection.fail(error));
