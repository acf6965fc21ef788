// Clock and random numbers of a recorded run, and of its replay (docs/author.md, "Replay a run").
//
// One segment for each step: what the clock said at each reading, in the job's realm and in that of
// the adaptors; the seed of `Math.random`; the bytes that `node:crypto` gave. A replay gets the same
// values in the same order. A reading beyond the recorded ones gets the last value and the time
// that has passed since.

import vm from 'node:vm';

import { seeded } from './forked.mjs';
import { random as drawn } from './internals.mjs';

/**
 * @typedef {{ job: number[], host: number[], seed: number[], bytes: string[], cut?: true }} Segment
 * @typedef {'job' | 'host'} Realm
 */

/** Readings of one realm in one step, and draws of random bytes, that are kept. */
const MOST = 20_000;
const MOST_DRAWS = 1000;
const LONGEST_DRAW = 4096;

const wall = Date.now;
const { from, alloc } = Buffer;

/**
 * Give a realm another clock and another generator. Its text is also run in contexts of jobs.
 * @param {() => number} now
 * @param {() => number} random
 */
function lend(now, random) {
  const Real = Date;
  Math.random = () => random();
  Object.defineProperty(Real, 'now', { value: function now_() { return now(); }, writable: true, configurable: true });
  const Lent = new Proxy(Real, {
    construct: (target, args, made) => Reflect.construct(target, args.length > 0 ? args : [now()], made),
    apply: () => new Real(now()).toString(),
  });
  Object.defineProperty(Real.prototype, 'constructor', { value: Lent, writable: true, configurable: true });
  Object.defineProperty(globalThis, 'Date', { value: Lent, writable: true, configurable: true });
}

export class Tape {
  /** @type {Segment | undefined} */
  #segment = undefined;
  /** Of the segment: readings that were given, draws that were given. */
  #at = { job: 0, host: 0, bytes: 0 };
  /** @type {Record<Realm, () => number>} */
  #random = { job: Math.random, host: Math.random };
  /** When the last recorded reading was given. */
  #since = 0;
  #steps = 0;
  /** @type {WeakSet<object>} */
  #lent = new WeakSet();

  /**
   * Without `recorded` it records; with it, it gives those values again.
   * @param {Segment[]} [recorded]
   */
  constructor(recorded) {
    this.recorded = recorded;
    lend(() => this.#now('host'), () => this.#random.host());
    this.#lendBytes();
  }

  /**
   * Give the context of a step this clock.
   * @param {vm.Context} context
   */
  lend(context) {
    if (this.#lent.has(context)) return;
    this.#lent.add(context);
    vm.runInContext(`(${lend})`, context)(() => this.#now('job'), () => this.#random.job());
  }

  /** A step begins. */
  begin() {
    const known = this.recorded?.[this.#steps];
    this.#steps += 1;
    const seed = known?.seed ?? [...drawn.randomFillSync(new Uint32Array(4))];
    this.#segment = known ?? { job: [], host: [], seed, bytes: [] };
    this.#at = { job: 0, host: 0, bytes: 0 };
    this.#random = { job: seeded(seed), host: seeded(seed.toReversed()) };
  }

  /**
   * The step ends. Its segment.
   * @returns {Segment | undefined}
   */
  end() {
    const segment = this.#segment;
    this.#segment = undefined;
    this.#random = { job: seeded(), host: seeded() };
    return segment;
  }

  /** @param {Realm} realm */
  #now(realm) {
    const segment = this.#segment;
    if (segment === undefined) return wall();
    const readings = segment[realm];
    if (this.recorded === undefined) {
      const value = wall();
      if (readings.length < MOST) readings.push(value);
      else segment.cut = true;
      return value;
    }
    const at = this.#at[realm];
    if (at < readings.length) {
      this.#at[realm] += 1;
      this.#since = wall();
      return readings[at];
    }
    return readings.length > 0 ? readings[readings.length - 1] + wall() - this.#since : wall();
  }

  /**
   * Fill `view` with random bytes: recorded ones where there are any.
   * @param {ArrayBufferView} view
   */
  #fill(view) {
    const bytes = from(view.buffer, view.byteOffset, view.byteLength);
    const segment = this.#segment;
    const kept = this.recorded && segment?.bytes[this.#at.bytes];
    if (kept !== undefined) {
      this.#at.bytes += 1;
      from(kept, 'base64').copy(bytes);
      return;
    }
    drawn.randomFillSync(bytes);
    if (segment === undefined || this.recorded) return;
    if (segment.bytes.length < MOST_DRAWS && bytes.length <= LONGEST_DRAW) {
      segment.bytes.push(bytes.toString('base64'));
    } else {
      segment.cut = true;
    }
  }

  /** Adaptors draw their random bytes here. */
  #lendBytes() {
    const fill = (/** @type {ArrayBufferView} */ view) => this.#fill(view);
    // only here: each run would pay for loading it
    const crypto = process.getBuiltinModule('node:crypto');
    const { randomBytes, randomFillSync, randomInt, webcrypto } = crypto;
    const own = /** @type {Bag} */ (crypto);
    own.randomUUID = () => {
      const bytes = alloc(16);
      fill(bytes);
      bytes[6] = (bytes[6] & 0x0f) | 0x40;
      bytes[8] = (bytes[8] & 0x3f) | 0x80;
      const hex = bytes.toString('hex');
      return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
    };
    own.randomBytes = (/** @type {number} */ size, /** @type {Function | undefined} */ done) => {
      if (done !== undefined || !Number.isSafeInteger(size) || size < 0) {
        return Reflect.apply(randomBytes, crypto, [size, done]);
      }
      const bytes = alloc(size);
      fill(bytes);
      return bytes;
    };
    own.randomFillSync = (/** @type {ArrayBufferView} */ view, /** @type {number[]} */ ...part) => {
      if (part.length > 0 || !ArrayBuffer.isView(view)) return Reflect.apply(randomFillSync, crypto, [view, ...part]);
      fill(view);
      return view;
    };
    own.randomInt = (/** @type {any[]} */ ...range) => {
      const [low, high] = typeof range[1] === 'number' ? range : [0, range[0]];
      const whole = Number.isSafeInteger(low) && Number.isSafeInteger(high) && high > low;
      if (!whole || typeof range.at(-1) === 'function') return Reflect.apply(randomInt, crypto, range);
      const bytes = alloc(8);
      fill(bytes);
      return low + Number(bytes.readBigUInt64BE() % BigInt(high - low));
    };
    process.getBuiltinModule('node:module').syncBuiltinESMExports();
    const web = /** @type {Bag} */ (webcrypto);
    Object.defineProperty(web, 'randomUUID', { value: own.randomUUID, writable: true, configurable: true });
    Object.defineProperty(web, 'getRandomValues', {
      value: (/** @type {ArrayBufferView} */ view) => { fill(view); return view; },
      writable: true, configurable: true,
    });
  }
}
