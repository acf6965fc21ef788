// Requests beyond those that are told one by one: counted for each host, so that nothing that left
// is silent. The counts are told again from time to time, ever more seldom (docs/journal.md).

import { milliseconds } from './clock.mjs';

/**
 * `made`, of these `sent`, and of these answered (by the first digit of the status) and failed.
 * @typedef {{
 *   host: string, made: number, sent: number, answered: number[], failed: number, addresses: string[],
 * }} Counted
 */

/** Hosts that are told apart, and addresses of one; the others are counted under the empty name. */
const HOSTS = 50;
const ADDRESSES = 20;
/** Milliseconds between two tellings: at least, and as a share of the time since the first. */
const PAUSE = 250;
const SHARE = 50;

const later = setTimeout;

export class Beyond {
  /** @type {Map<string, Counted>} */
  #hosts = new Map();
  #first = 0;
  #told = 0;
  #planned = false;

  /** @param {(hosts: Counted[], whole?: true) => void} tell */
  constructor(tell) {
    this.tell = tell;
  }

  /** @param {string} host */
  made(host) {
    this.#of(host).made += 1;
    this.#changed();
  }

  /**
   * @param {string} host
   * @param {string | undefined} address
   */
  sent(host, address) {
    const counted = this.#of(host);
    counted.sent += 1;
    if (address && counted.addresses.length < ADDRESSES && !counted.addresses.includes(address)) {
      counted.addresses.push(address);
    }
    this.#changed();
  }

  /**
   * A request that was sent has ended.
   * @param {string} host
   * @param {number | undefined} status undefined: it failed
   */
  ended(host, status) {
    const counted = this.#of(host);
    const kind = Math.floor((status ?? 0) / 100);
    if (kind >= 1 && kind <= 5) counted.answered[kind - 1] += 1;
    else counted.failed += 1;
    this.#changed();
  }

  /** A step has ended: its counts are whole. */
  settle() {
    if (this.#hosts.size > 0) this.#say(true);
  }

  /**
   * @param {string} host
   * @returns {Counted}
   */
  #of(host) {
    const name = this.#hosts.has(host) || this.#hosts.size < HOSTS ? host : '';
    const known = this.#hosts.get(name)
      ?? { host: name, made: 0, sent: 0, answered: [0, 0, 0, 0, 0], failed: 0, addresses: [] };
    this.#hosts.set(name, known);
    return known;
  }

  /** Tell at once, or when enough time has passed. */
  #changed() {
    const now = milliseconds();
    this.#first ||= now;
    const wait = this.#told + Math.max(PAUSE, (now - this.#first) / SHARE) - now;
    if (wait <= 0 || this.#told === 0) this.#say();
    else if (!this.#planned) {
      this.#planned = true;
      later(() => {
        this.#planned = false;
        this.#say();
      }, wait).unref();
    }
  }

  /** @param {true} [whole] */
  #say(whole) {
    this.#told = milliseconds();
    this.tell([...this.#hosts.values()], whole);
  }
}
