// Time as the journal wants it: decimal strings of Unix microseconds, strictly increasing.

const { now: wall } = Date;
// not `performance`, which loads a dozen modules of Node.js for one number
const hrtime = process.hrtime.bind(process);

/** Milliseconds of a clock that never goes back. */
export function milliseconds() {
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

let origin = wall() * 1000 - milliseconds() * 1000;
let last = 0;

/** Take the wall clock again: a standby process may have waited for hours. */
export function setClock() {
  origin = wall() * 1000 - milliseconds() * 1000;
}

/** A timestamp later than every one given before. */
export function stamp() {
  const time = Math.floor(origin + milliseconds() * 1000);
  last = time > last ? time : last + 1;
  return String(last);
}

/**
 * A duration for people: `5ms`, `1.5s`, `2m 3s`.
 * @param {number} ms
 */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1).replace(/\.?0+$/, '')}s`;
  return `${Math.floor(ms / 60_000)}m ${Math.round((ms % 60_000) / 1000)}s`;
}
