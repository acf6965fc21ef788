// What job code may import from `@openfn/runtime`: the helper of promise chains, nothing else.
// (The reference hands out its package installer with it.)

/**
 * An operation that runs `op` and then the author's chain on its promise. An error that `op`
 * throws at once goes to `onError` and its answer is returned without the chain
 * (spec/runtime.md 3.7).
 */
export function defer(
  op,
  chain = (promise) => promise,
  onError = (error) => {
    throw error;
  },
) {
  return (state) => {
    let promise;
    try {
      promise = Promise.resolve(op(state));
    } catch (error) {
      return onError(error, state);
    }
    return chain(promise.catch((error) => onError(error, state)));
  };
}
