// What a process does that children are forked from, before (`prepare`) and in the child (`begin`);
// docs/engine.md, "Zygotes". Whatever such a process knows, all its children know: so nothing that
// is to be different in each run may be drawn before.

import { leaveWith } from './channel.mjs';
import { collectGarbage, random as drawn, setFlags, watchDraws } from './internals.mjs';

/** V8 would give these to threads, which a child does not have. */
const NO_THREADS = ['--wasm-num-compilation-tasks=0', '--no-wasm-async-compilation'];
/**
 * What Node.js draws ahead, and how many of them.
 * @type {[() => unknown, number][]}
 */
const AHEAD = [[() => drawn.randomUUID(), 128], [() => drawn.randomInt(2), 1024]];

const { imul } = Math;
let own = false;
/** Whether nothing that was drawn ahead is left for the children. */
let exhausted = false;
const words = new Uint32Array(4);
const random = generator(words);

/**
 * Numbers of 52 random bits, as `Math.random` gives them, from a state of xoshiro128**.
 * @param {Uint32Array} state
 */
function generator(state) {
  return () => ((next(state) >>> 6) * 0x4000000 + (next(state) >>> 6)) / 0x10000000000000;
}

/**
 * A generator of its own, from four numbers of 32 bits; without them of a random seed.
 * @param {number[]} [seed]
 */
export function seeded(seed) {
  const state = new Uint32Array(4);
  if (seed === undefined) drawn.randomFillSync(state);
  else state.set(seed);
  return generator(state);
}

/** @param {Uint32Array} words */
function next(words) {
  const [a, b, c, d] = words;
  const mixed = imul(b, 5);
  const result = imul((mixed << 7) | (mixed >>> 25), 9);
  words[2] = c ^ a;
  words[3] = d ^ b;
  words[1] = b ^ words[2];
  words[0] = a ^ words[3];
  words[2] ^= b << 9;
  words[3] = (words[3] << 11) | (words[3] >>> 21);
  return result >>> 0;
}

/**
 * Give a context's `Math` a generator that is seeded in each child. V8's own is the same in all of
 * them, and there is no way to seed it anew. Does nothing in a process that is no zygote.
 * @param {{ random: () => number }} math
 */
export function lendRandom(math) {
  if (own) math.random = random;
}

/** Before any adaptor is loaded: it may keep `Math.random` for itself. */
export function prepare() {
  own = true;
  seed();
  lendRandom(Math);
}

/**
 * When everything has been loaded: code caches are made for V8's flags as they were until now. What
 * is done here once is not done in each child: its young objects would be moved there again, and an
 * adaptor may have drawn numbers while it was loaded.
 */
export function settle() {
  for (const flag of NO_THREADS) setFlags(flag);
  exhausted = AHEAD.every(([draw, count]) => exhaust(draw, count));
  collectGarbage();
}

/**
 * Use up what was drawn ahead, so that the next draw fetches new ones; whether that could be seen.
 * @param {() => unknown} draw
 * @param {number} count
 */
function exhaust(draw, count) {
  const fetches = watchDraws();
  if (fetches === undefined) return false;
  for (let i = 0; i <= count && fetches.count === 0; i++) draw();
  for (let i = 1; i < count; i++) draw();
  fetches.end();
  return fetches.count === 1;
}

/** In a child, before anything of its run is read. */
export function begin() {
  seed();
  if (exhausted) return;
  for (const [draw, count] of AHEAD) for (let i = 0; i < count; i++) draw();
}

function seed() {
  drawn.randomFillSync(words);
}

/** Whether this process is a zygote or a child of one. */
export function isForked() {
  return own;
}

/**
 * Leave at once. A child lacks the threads that Node.js waits for at its end.
 * @param {number} code
 */
export function leave(code) {
  if (own) leaveWith(code);
}
