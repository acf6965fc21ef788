// What requests asked and what was answered, where the project agreed to keep it: for replays and
// test cases made from runs (docs/author.md). Nothing here changes what the run's code sees.

import { stream } from './channel.mjs';
import { byteLength } from './serialise.mjs';

/**
 * @import { Secrets } from './secrets.mjs'
 *
 * @typedef {{ text?: string, base64?: string, bytes: number, cut?: true, opened?: true }} KeptBody
 */

const { stringify } = JSON;
/** Bytes of one body, and of all of a run, that are kept. */
const MOST = 1024 * 1024;
const MOST_IN_ALL = 16 * 1024 * 1024;
/** As `INLINE` in report.mjs. */
const INLINE = 16 * 1024;
/** Headers of an answer that are kept, and characters of each. */
const MOST_HEADERS = 100;
const MOST_OF_ONE = 2000;
/**
 * Encodings of a body, and the functions of node:zlib that read them.
 * @type {Record<string, 'gunzipSync' | 'inflateSync' | 'brotliDecompressSync'>}
 */
const OPENERS = {
  gzip: 'gunzipSync', 'x-gzip': 'gunzipSync', deflate: 'inflateSync', br: 'brotliDecompressSync',
};

/** The bytes of one body as they pass by. */
class Passing {
  /** @type {Buffer[]} */
  #pieces = [];
  bytes = 0;
  kept = 0;

  /**
   * @param {unknown} piece
   * @param {number} room
   */
  add(piece, room) {
    const bytes = typeof piece === 'string' ? Buffer.from(piece)
      : ArrayBuffer.isView(piece) ? Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
        : undefined;
    if (bytes === undefined) return 0;
    this.bytes += bytes.length;
    // a copy: the reader uses its memory again
    const part = Buffer.from(bytes.subarray(0, Math.max(0, Math.min(MOST - this.kept, room))));
    this.kept += part.length;
    if (part.length > 0) this.#pieces.push(part);
    return part.length;
  }

  /** @param {string} [encoding] */
  whole(encoding) {
    const bytes = Buffer.concat(this.#pieces);
    const open = encoding === undefined ? undefined : OPENERS[encoding];
    if (open === undefined || this.kept < this.bytes) return { bytes };
    try {
      const opened = /** @type {const} */ (true);
      return { bytes: process.getBuiltinModule('node:zlib')[open](bytes, { maxOutputLength: MOST }), opened };
    } catch {
      return { bytes }; // it is not what its header says: kept as it came
    }
  }
}

/** One request that is followed. */
class Exchange {
  asked = new Passing();
  answer = new Passing();
  /**
   * By name, which the other system chooses: `constructor` is none of ours here.
   * @type {Record<string, string | string[]>}
   */
  headers = Object.create(null);
  url = '';
}

export class Exchanges {
  #room = MOST_IN_ALL;
  /** @type {WeakMap<object, Exchange>} */
  #known = new WeakMap();

  /** @param {Secrets} secrets */
  constructor(secrets) {
    this.secrets = secrets;
  }

  /**
   * A request of undici has been made.
   * @param {Bag} request
   */
  followUndici(request) {
    const exchange = this.#of(request);
    exchange.url = `${request.origin}${request.path}`;
    this.#listen(request, 'onBodySent', exchange.asked);
    this.#listen(request, 'onData', exchange.answer);
  }

  /**
   * A request of node:http has been made; its address is known later.
   * @param {Bag} request
   */
  followNode(request) {
    const { asked } = this.#of(request);
    this.#listen(request, 'write', asked);
    this.#listen(request, 'end', asked);
  }

  /**
   * @param {Bag} request
   * @param {Bag} response
   * @param {() => void} done when all of the answer has come
   */
  answerOfNode(request, response, done) {
    const exchange = this.#of(request);
    exchange.url = `${request.protocol}//${request.getHeader('host') ?? request.host}${request.path}`;
    this.#headers(exchange, response.rawHeaders);
    const { answer } = exchange;
    const { push } = response;
    response.push = (/** @type {unknown} */ piece, /** @type {unknown[]} */ ...rest) => {
      if (piece !== null) this.#keep(answer, piece);
      const more = Reflect.apply(push, response, [piece, ...rest]);
      if (piece === null) done();
      return more;
    };
  }

  /**
   * @param {object} request
   * @param {(Buffer | string)[]} headers names and values in turn
   */
  headersOfUndici(request, headers) {
    this.#headers(this.#of(request), headers);
  }

  /**
   * The exchange as a document of its record; undefined where nothing is known of it.
   * @param {object} request
   * @param {{ method: string, status?: number }} sent
   * @returns {RecordedDocument | undefined}
   */
  document(request, { method, status }) {
    const exchange = this.#known.get(request);
    if (exchange === undefined) return undefined;
    this.#known.delete(request);
    const { headers } = exchange;
    const encoding = headers['content-encoding'];
    const text = stringify({
      method,
      url: this.secrets.scrub(exchange.url.replace(/^(\w+:\/\/)[^/@]*@/, '$1')),
      asked: this.#body(exchange.asked),
      status,
      headers: this.secrets.scrubValue(headers),
      answer: this.#body(exchange.answer, typeof encoding === 'string' ? encoding : undefined),
    });
    return text.length <= INLINE && byteLength(text) <= INLINE ? { inline: text } : stream(text);
  }

  /** @param {object} request */
  #of(request) {
    const known = this.#known.get(request) ?? new Exchange();
    this.#known.set(request, known);
    return known;
  }

  /**
   * All of them: an adaptor may put them into the state.
   * @param {Exchange} exchange
   * @param {(Buffer | string)[]} pairs names and values in turn
   */
  #headers(exchange, pairs) {
    const { headers } = exchange;
    const end = Math.min(pairs.length - 1, 2 * MOST_HEADERS);
    for (let at = 0; at < end; at += 2) {
      const name = String(pairs[at]).toLowerCase();
      const value = String(pairs[at + 1]).slice(0, MOST_OF_ONE);
      const before = headers[name];
      headers[name] = before === undefined ? value : [before, value].flat();
    }
  }

  /**
   * Keep what a method of `owner` is given first, and call it.
   * @param {Bag} owner
   * @param {string} name
   * @param {Passing} body
   */
  #listen(owner, name, body) {
    const method = owner[name];
    if (typeof method !== 'function') return;
    owner[name] = (/** @type {unknown[]} */ ...args) => {
      this.#keep(body, args[0]);
      return Reflect.apply(method, owner, args);
    };
  }

  /**
   * @param {Passing} body
   * @param {unknown} piece
   */
  #keep(body, piece) {
    this.#room -= body.add(piece, this.#room);
  }

  /**
   * @param {Passing} passing
   * @param {string} [encoding]
   * @returns {KeptBody | undefined}
   */
  #body(passing, encoding) {
    if (passing.bytes === 0) return undefined;
    const { bytes: whole, opened } = passing.whole(encoding);
    const cut = passing.kept < passing.bytes ? /** @type {const} */ (true) : undefined;
    const text = whole.toString();
    const { bytes } = passing;
    return Buffer.from(text).equals(whole) || cut ? { text: this.secrets.scrub(text), bytes, cut, opened }
      : { base64: whole.toString('base64'), bytes, opened };
  }
}
