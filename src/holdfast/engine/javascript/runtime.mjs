// What job code may import from `@openfn/runtime`: the helper of promise chains, nothing else.
// (The reference also exports its package installer.)

/**
 * An operation that runs `fn` and then the author's chain on its promise. What `fn` or the chain
 * throws at once goes to `error` and its answer is returned without the chain
 * (docs/spec/runtime.md 3.7). Named as in the reference: authors read the names in errors.
 * @param {(state: any) => unknown} fn
 * @param {(promise: Promise<unknown>) => unknown} [complete]
 * @param {(thrown: unknown, state?: any) => unknown} [error]
 */
export function defer(
  fn,
  complete = (promise) => promise,
  error = (thrown) => {
    throw thrown;
  },
) {
  return (/** @type {any} */ state) => {
    try {
      return complete(Promise.resolve(fn(state)).catch((thrown) => error(thrown, state)));
    } catch (thrown) {
      return error(thrown, state);
    }
  };
}
