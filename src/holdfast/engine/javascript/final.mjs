// The final state of a run (docs/spec/runtime.md 1.5, docs/spec/worker-protocol.md 4.9).

import { parse } from './serialise.mjs';
import { Document } from './state.mjs';

/** Texts of empty documents. */
const EMPTY = new Set(['{}', '{"data":{}}', '[]', 'null']);

/**
 * One document from several: an object with all of them by key, in JavaScript's property order.
 * @param {Map<string, Document>} leaves
 */
export function together(leaves) {
  const texts = Object.fromEntries([...leaves].map(([key, document]) => [key, document.text]));
  const members = Object.entries(texts).map(([key, text]) => `${JSON.stringify(key)}:${text}`);
  return new Document(`{${members.join(',')}}`);
}

/**
 * The final state for the platform: `{document?, clip?}`. `executed`: whether any job ran; `ends`:
 * ids of the outputs of all leaves. A leaf that returned nothing has an id but no document.
 * @param {Map<string, Document>} leaves
 * @param {boolean} executed
 * @param {(string | undefined)[]} ends
 * @returns {{ document?: Document, clip?: string }}
 */
export function compose(leaves, executed, ends) {
  const [only] = leaves.values();
  if (ends.length <= 1) {
    if (!executed) return only ? { document: withoutEmpty(only) } : {};
    return { document: only, clip: ends[0] };
  }
  if (leaves.size === 0) return {};
  const full = new Map([...leaves].filter(([, document]) => !EMPTY.has(document.text)));
  return { document: together(full) };
}

/**
 * The input of a run without any executed job, without its empty top-level values.
 * @param {Document} document
 */
function withoutEmpty(document) {
  const value = parse(document.text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return document;
  const kept = Object.entries(value).filter(([, item]) => !EMPTY.has(JSON.stringify(item)));
  return new Document(JSON.stringify(Object.fromEntries(kept)));
}
