// The engine's end of the two pipes to its shim: frames in on descriptor 0, frames out on 3.
//
// `u32 length, u8 type, body`, little-endian (docs/engine-protocol.md). Everything here is
// captured in closures when the process starts, before any adaptor's code is loaded. So code that
// replaces `fs.writeSync` or `JSON.stringify` changes neither what is sent nor where. Code that
// escapes can still write to descriptor 3. Therefore the shim trusts the kernel more than what
// comes from here.

import fs from 'node:fs';

export const Kind = Object.freeze({
  OPTIONS: 1, CREDENTIALS: 2, PLAN: 3, MODULE: 4, INPUT: 5, GO: 6, VISIT: 7, VISITED: 8,
  PHASE: 11, LOG: 13, STEP_START: 14, STEP_COMPLETE: 15, RESULT: 18, RUN_ERROR: 19, REQUEST: 21,
  READY: 64, BLOB: 65, BLOB_END: 66, PASS: 68, SECRETS: 69, LEFT: 70, HANDED: 71,
  ASK: 72,
});

const HEADER = 5;
/** Reading from this descriptor and those above it ends a child of a zygote (`zygote.c`). */
const LEAVE = 0x7fff0000;
const IN = 0;
const OUT = 3;
/** Bytes of text in one BLOB frame at most; as `CHUNK` in `holdfast.engine.frames`. */
const PIECE = 256 * 1024;
/** Bytes of frames that wait at most. */
const WAITING = 16 * 1024;
/** As `MAX_BODY` in `holdfast.engine.frames`. */
export const MAX_BODY = 4 * 1024 * 1024;

const { readSync, writeSync } = fs;
const soon = setImmediate;
const { stringify } = JSON;
const encoder = new TextEncoder();
const encodeInto = encoder.encodeInto.bind(encoder);
const encode = encoder.encode.bind(encoder);
const charCodeAt = Function.prototype.call.bind(String.prototype.charCodeAt);
const substring = Function.prototype.call.bind(String.prototype.substring);
const subarray = Function.prototype.call.bind(Uint8Array.prototype.subarray);
const { wait: sleep } = Atomics;
const never = new Int32Array(new SharedArrayBuffer(4));

/** @param {number} ms */
const wait = (ms) => sleep(never, 0, 0, ms);

/**
 * The code of an error of the operating system, such as `EAGAIN`.
 * @param {unknown} error
 */
function codeOf(error) {
  return /** @type {NodeJS.ErrnoException} */ (error).code;
}

/**
 * Write all of `bytes` to the shim, waiting while the pipe is full.
 * @param {Uint8Array} bytes
 * @param {number} length
 */
function writeAll(bytes, length) {
  let done = 0;
  while (done < length) {
    try {
      done += writeSync(OUT, bytes, done, length - done);
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error;
      wait(1); // a non-blocking pipe is full; the shim reads it in its own time
    }
  }
}

/**
 * @param {Uint8Array} buffer
 * @param {number} length
 * @param {number} kind
 * @param {number} [at]
 */
function putHeader(buffer, length, kind, at = 0) {
  buffer[at] = length & 255;
  buffer[at + 1] = (length >>> 8) & 255;
  buffer[at + 2] = (length >>> 16) & 255;
  buffer[at + 3] = length >>> 24;
  buffer[at + 4] = kind;
}

const outgoing = new Uint8Array(HEADER + 4 + PIECE);
/** Frames that wait, to be sent in one piece with the next one; and how long they are. */
const waiting = new Uint8Array(WAITING);
let held = 0;
let planned = false;
let streams = 0;
/**
 * Those who may have something to say before anything is sent.
 * @type {(() => void)[]}
 */
const late = [];
/** How many of them have waited for a turn. */
let ripe = 0;

/** Send the frames that wait. To be called before code that may run forever. */
export function release() {
  hear(late.length);
  flush();
}

function flush() {
  if (held === 0) return;
  const length = held;
  held = 0;
  writeAll(waiting, length);
}

/**
 * Let a short frame wait until another one is sent, the event loop turns, or `release` is called.
 * So the reader wakes once for all of them; waking it costs more than reading.
 * @param {number} kind
 * @param {string} text
 */
export function holdText(kind, text) {
  if (HEADER + text.length * 3 > WAITING) {
    sendText(kind, text);
    return;
  }
  put(kind, text);
  plan();
}

/**
 * Ask what else is to be said when the next frame is sent, or after a whole turn of the event loop:
 * by then it may be nothing any more.
 * @param {() => void} say
 */
export function askLater(say) {
  late.push(say);
  plan();
}

/** @param {number} count */
function hear(count) {
  if (count === 0) return;
  for (const say of late.splice(0, count)) say();
  ripe = 0;
}

function plan() {
  if (!planned) soon(turned);
  planned = true;
}

function turned() {
  planned = false;
  hear(ripe);
  ripe = late.length;
  if (ripe > 0) plan();
  flush();
}

/**
 * Append a short frame to those that wait.
 * @param {number} kind
 * @param {string} text
 */
function put(kind, text) {
  if (held + HEADER + text.length * 3 > WAITING) release();
  const { written } = encodeInto(text, subarray(waiting, held + HEADER));
  putHeader(waiting, written, kind, held);
  held += HEADER + written;
}

/**
 * Send one frame with the body `text`. Returns when it and all earlier frames are in the pipe.
 * @param {number} kind
 * @param {string} text
 */
export function sendText(kind, text) {
  hear(late.length);
  if (HEADER + text.length * 3 <= WAITING) {
    put(kind, text);
    release();
    return;
  }
  release();
  if (text.length * 3 <= PIECE) {
    const { written } = encodeInto(text, subarray(outgoing, HEADER));
    putHeader(outgoing, written, kind);
    writeAll(outgoing, HEADER + written);
    return;
  }
  const body = encode(text);
  const header = new Uint8Array(HEADER);
  putHeader(header, body.length, kind);
  writeAll(header, HEADER);
  writeAll(body, body.length);
}

/**
 * Send one frame whose body is the JSON text of `value`.
 * @param {number} kind
 * @param {unknown} value
 */
export function send(kind, value) {
  sendText(kind, stringify(value));
}

/**
 * Send a large text as BLOB frames, piece by piece, without a second copy of it.
 * Returns `{stream, bytes}`, to stand for the text in the body that follows.
 * @param {string} text
 */
export function stream(text) {
  const number = ++streams;
  const bytes = sendPieces(Kind.BLOB, text, 4, () => putNumber(number));
  putHeader(outgoing, 4, Kind.BLOB_END);
  putNumber(number);
  writeAll(outgoing, HEADER + 4);
  return { stream: number, bytes };
}

/**
 * Send a text in frames of one kind. Returns its bytes. `put` writes what each frame begins with,
 * `head` bytes.
 * @param {number} kind
 * @param {string} text
 * @param {number} [head]
 * @param {() => void} [put]
 */
export function sendPieces(kind, text, head = 0, put = () => {}) {
  release();
  let bytes = 0;
  for (let start = 0; start < text.length; ) {
    let end = start + PIECE;
    if (end >= text.length) end = text.length;
    else if ((charCodeAt(text, end - 1) & 0xfc00) === 0xd800) end -= 1; // keep the pair whole
    const piece = substring(text, start, end);
    // takes what fits: whole characters, fewer where they are longer
    const { read, written } = encodeInto(piece, subarray(outgoing, HEADER + head, HEADER + head + PIECE));
    putHeader(outgoing, head + written, kind);
    put();
    writeAll(outgoing, HEADER + head + written);
    bytes += written;
    start += read;
  }
  return bytes;
}

/**
 * Have the shim pass a frame on to the process of a step: a text in as many as it needs, one at
 * least.
 * @param {number} kind
 * @param {string | Buffer} body
 */
export function pass(kind, body) {
  const put = () => {
    outgoing[HEADER] = kind;
  };
  if (typeof body === 'string' && body !== '') {
    sendPieces(Kind.PASS, body, 1, put);
    return;
  }
  release();
  putHeader(outgoing, 1 + body.length, Kind.PASS);
  put();
  if (typeof body !== 'string') outgoing.set(body, HEADER + 1);
  writeAll(outgoing, HEADER + 1 + body.length);
}

/** @param {number} number */
function putNumber(number) {
  for (let i = 0; i < 4; i++) outgoing[HEADER + i] = (number >>> (8 * i)) & 255;
}

/**
 * End this process without any ceremony, where it is a child of a zygote.
 * @param {number} code
 */
export function leaveWith(code) {
  try {
    readSync(LEAVE + (code & 255), incoming.header, 0, 1, null);
  } catch {
    // there is no such descriptor where nobody stands in for it
  }
}

const incoming = { header: Buffer.allocUnsafe(HEADER), body: Buffer.allocUnsafe(PIECE) };

/**
 * Wait for the next frame, `{kind, body}`. It blocks the process. The body is valid only until
 * the next call. Undefined when the pipe was closed: the shim has gone, or this
 * process was never needed.
 */
export function receive() {
  const { header } = incoming;
  if (!readFull(header, HEADER)) return undefined;
  const length = header.readUInt32LE(0);
  if (length > incoming.body.length) incoming.body = Buffer.allocUnsafe(length);
  if (!readFull(incoming.body, length)) return undefined;
  return { kind: header[4], body: incoming.body.subarray(0, length) };
}

/**
 * @param {Buffer} buffer
 * @param {number} length
 */
function readFull(buffer, length) {
  let done = 0;
  while (done < length) {
    try {
      const count = readSync(IN, buffer, done, length - done, null);
      if (count === 0) return false;
      done += count;
    } catch (error) {
      if (codeOf(error) === 'EOF') return false;
      if (codeOf(error) !== 'EAGAIN') throw error;
      wait(1);
    }
  }
  return true;
}
