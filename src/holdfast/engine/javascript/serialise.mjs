// State as JSON text: any value, circular ones included (docs/spec/runtime.md 2.4).

const { stringify: nativeStringify, parse: nativeParse } = JSON;

export const parse = nativeParse;
export const CIRCULAR = '[Circular]';

/**
 * JSON text of `value`, or undefined when it has none (a function, a symbol).
 *
 * A circular reference becomes `[Circular]` where the cycle closes. A BigInt becomes its decimal
 * digits. (The reference then loses the whole state, which no job can need: docs/compatibility.md.)
 * `onBigInt` is called once. Throws what a getter or toJSON of the value throws.
 * @param {unknown} value
 * @param {() => void} [onBigInt]
 * @param {(path: string) => void} [onCut] is told once, where the first cycle closes
 * @returns {string | undefined}
 */
export function stringify(value, onBigInt, onCut) {
  try {
    return nativeStringify(value);
  } catch (error) {
    if (error instanceof RangeError) throw error; // too deep, or longer than a string may be
    const replacer = careful(onBigInt, onCut);
    return nativeStringify(value, replacer);
  }
}

/**
 * A replacer that knows all objects around the current value. An object that closed a cycle once is
 * cut at every place, as in the reference.
 * @param {() => void} [onBigInt]
 * @param {(path: string) => void} [onCut]
 * @returns {(this: any, key: string, value: any) => any}
 */
function careful(onBigInt, onCut) {
  /** @type {object[]} */
  const chain = [];
  /**
   * The keys under which those of the chain stand.
   * @type {string[]}
   */
  const path = [];
  /** @type {Map<object, Set<string>>} */
  const cuts = new Map();
  let told = false;
  return function replace(key, value) {
    if (typeof value === 'bigint') {
      if (!told) onBigInt?.();
      told = true;
      return String(value);
    }
    if (typeof value !== 'object' || value === null) return value;
    while (chain.length > 0 && chain.at(-1) !== this) {
      chain.pop();
      path.pop();
    }
    if (cuts.get(this)?.has(key)) return CIRCULAR;
    if (chain.includes(value)) {
      if (cuts.size === 0) onCut?.([...path, key].filter(Boolean).slice(0, 20).join('.').slice(0, 200));
      cuts.set(this, (cuts.get(this) ?? new Set()).add(key));
      return CIRCULAR;
    }
    chain.push(value);
    path.push(key);
    return value;
  };
}

/** Bytes of `text` in UTF-8. */
export const byteLength = Buffer.byteLength.bind(Buffer);

/**
 * A deep copy by way of JSON text; undefined when the value has none.
 * @param {unknown} value
 */
export function copy(value) {
  const text = stringify(value);
  return text === undefined ? undefined : parse(text);
}

/**
 * The top-level key of an object whose JSON text is the longest, or undefined.
 * @param {Bag} value
 * @returns {string | undefined}
 */
export function largestKey(value) {
  let largest, size = -1;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const key of Object.keys(value)) {
    const length = stringify(value[key])?.length ?? 0;
    if (length > size) [largest, size] = [key, length];
  }
  return largest;
}
