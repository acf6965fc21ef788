// What an explanation of a failure needs beyond its message: the shape of the state that was
// there, what the error carried, the names that could have been meant (holdfast.diagnosis).
//
// Values of the state are never among it, only its keys and kinds. Nothing here calls code of the
// job: getters, proxies and toJSON are left alone.

import fs from 'node:fs';
import path from 'node:path';
import { types } from 'node:util';

const { getOwnPropertyDescriptor, keys, hasOwn } = Object;
/** Levels, keys of one object, and objects in all that a shape shows; characters of a key. */
const DEEPEST = 6;
const WIDEST = 40;
const MOST = 300;
const KEY = 60;
/** Causes behind each other, names of an adaptor, characters of a text that the error carried. */
const CAUSES = 5;
const NAMES = 400;
const TEXT = 500;

/**
 * Keys and kinds of a value: an object as an object, a list as `{"[]": length, "[0]": first}`,
 * anything else as the name of its kind.
 * @param {unknown} value
 * @returns {Shape}
 */
export function shapeOf(value) {
  return shape(value, DEEPEST, { left: MOST });
}

/**
 * @param {unknown} value
 * @param {number} depth
 * @param {{ left: number }} budget
 * @returns {Shape}
 */
function shape(value, depth, budget) {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value;
  if (types.isProxy(value)) return 'proxy';
  if (types.isPromise(value)) return 'promise';
  if (depth === 0 || budget.left <= 0) return '…';
  budget.left -= 1;
  if (Array.isArray(value)) {
    /** @type {Record<string, Shape>} */
    const list = { '[]': value.length };
    if (value.length > 0) list['[0]'] = shape(own(value, '0'), depth - 1, budget);
    return list;
  }
  /** @type {Record<string, Shape>} */
  const found = {};
  const names = keys(value);
  for (const name of names.slice(0, WIDEST)) {
    found[name.slice(0, KEY)] = shape(own(value, name), depth - 1, budget);
  }
  if (names.length > WIDEST) found['…'] = `${names.length - WIDEST} more`;
  return found;
}

/**
 * A property that is a plain value; `undefined` where a getter would have to be called.
 * @param {object} value
 * @param {string} key
 */
const own = (value, key) => getOwnPropertyDescriptor(value, key)?.value;

/** Properties of errors that say what failed: of Node.js, undici, axios, and adaptors. */
const TELLING = ['name', 'code', 'syscall', 'hostname', 'address', 'port', 'status', 'statusCode',
  'statusText', 'statusMessage', 'method', 'url', 'path', 'reason', 'error'];
/** Where libraries keep the answer, the request, and the error behind an error. */
const INSIDE = ['response', 'config', 'request', 'details'];

/**
 * The errors behind a thrown value, outermost first, each with what it tells.
 * @param {unknown} thrown
 * @returns {Bag[]}
 */
export function causesOf(thrown) {
  const found = [];
  const seen = new Set();
  /** @type {any} */
  let error = thrown;
  while (isObject(error) && !seen.has(error) && found.length < CAUSES) {
    seen.add(error);
    found.push({ ...told(error), ...inside(error) });
    const several = plain(error, 'errors');
    error = plain(error, 'cause') ?? (Array.isArray(several) ? several[0] : undefined);
  }
  return found;
}

/** @param {object} error */
function inside(error) {
  /** @type {Bag} */
  const found = {};
  for (const place of INSIDE) {
    const value = plain(error, place);
    if (isObject(value)) Object.assign(found, told(value));
  }
  const answer = plain(error, 'body') ?? plain(plain(error, 'response'), 'data');
  const text = typeof answer === 'string' ? answer : written(answer);
  return text === undefined ? found : { ...found, body: text.slice(0, TEXT) };
}

/**
 * @param {unknown} value
 * @returns {string | undefined}
 */
function written(value) {
  if (!isObject(value) || types.isProxy(value)) return undefined;
  try {
    return JSON.stringify(value);
  } catch {
    return undefined; // circular, or its own toJSON threw: the status has to do
  }
}

/** @param {object} error */
function told(error) {
  /** @type {Bag} */
  const found = {};
  for (const key of TELLING) {
    const value = plain(error, key);
    if (typeof value === 'string' && value !== '') found[key] = value.slice(0, TEXT);
    else if (typeof value === 'number') found[key] = value;
  }
  const message = plain(error, 'message');
  if (typeof message === 'string') found.message = message.slice(0, TEXT);
  return found;
}

/**
 * A value that stands on the object or on its class; never one that a getter of the job makes.
 * @param {any} value
 * @param {string} key
 * @returns {any}
 */
function plain(value, key) {
  for (let at = value; isObject(at); at = Object.getPrototypeOf(at)) {
    if (types.isProxy(at)) return undefined;
    const found = getOwnPropertyDescriptor(at, key);
    if (found) return found.value;
  }
  return undefined;
}

/**
 * @param {unknown} value
 * @returns {value is object}
 */
const isObject = (value) => typeof value === 'object' && value !== null;

/**
 * The adaptors of a step: the names they export, and the keys that their credential has.
 * @param {string[]} wanted
 * @param {Record<string, InstalledAdaptor>} known
 * @returns {Bag[]}
 */
export function adaptorsOf(wanted, known) {
  return wanted.filter((specifier) => hasOwn(known, specifier)).map((specifier) => {
    const { name, version, exports = [], path: folder } = known[specifier];
    return { name, version, exports: exports.slice(0, NAMES), ...credentialOf(folder) };
  });
}

/** @param {string} folder */
function credentialOf(folder) {
  let schema;
  try {
    schema = JSON.parse(fs.readFileSync(path.join(folder, 'configuration-schema.json'), 'utf8'));
  } catch {
    return {}; // most adaptors without a credential have none
  }
  const { properties, required } = schema ?? {};
  return {
    keys: isObject(properties) ? keys(properties).slice(0, WIDEST) : [],
    required: Array.isArray(required) ? required.slice(0, WIDEST).map(String) : [],
  };
}

/**
 * What JSON makes nothing of, among the first values of a result: where it stands, and its kind.
 * @param {unknown} result
 * @returns {{ path: string, kind: string }[]}
 */
export function lostIn(result) {
  /** @type {{ path: string, kind: string }[]} */
  const found = [];
  /** @type {[string, unknown, number][]} */
  const waiting = [['', result, 0]];
  for (let looked = 0; looked < GLANCED && waiting.length > 0; looked += 1) {
    const [at, value, depth] = /** @type {[string, unknown, number]} */ (waiting.shift());
    const kind = lostKind(value);
    if (kind !== undefined && depth > 0) found.push({ path: at, kind });
    else if (isObject(value) && !types.isProxy(value) && depth < 3 && !ArrayBuffer.isView(value)) {
      for (const key of keys(value).slice(0, WIDEST)) {
        waiting.push([at === '' ? key.slice(0, KEY) : `${at}.${key.slice(0, KEY)}`, own(value, key), depth + 1]);
      }
    }
  }
  return found.slice(0, 5);
}

/** Values of a result that are looked at. */
const GLANCED = 200;

/**
 * Functions are left out: many jobs keep helpers in state on purpose.
 * @param {unknown} value
 * @returns {string | undefined}
 */
function lostKind(value) {
  if (types.isPromise(value)) return 'promise';
  if (types.isMap(value) || types.isSet(value)) {
    return value.size > 0 ? types.isMap(value) ? 'Map' : 'Set' : undefined;
  }
  return undefined;
}
