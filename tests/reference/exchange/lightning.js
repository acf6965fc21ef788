// The reference's mock of Lightning, for tests that were written for a mock of the engine as well.
// That one has `fn` built in and installs nothing, so jobs get an adaptor that can be had.
const COMMON = '@openfn/language-common@3.3.4';

/** @param {(...args: any[]) => any} createLightningServer */
export function withOperations(createLightningServer) {
  /** @param {any[]} args */
  return (...args) => {
    const lightning = createLightningServer(...args);
    const enqueue = lightning.enqueueRun;
    /** @param {any} run @param {any[]} rest */
    lightning.enqueueRun = (run, ...rest) => {
      for (const job of run.jobs ?? []) job.adaptor = COMMON;
      return enqueue(run, ...rest);
    };
    return lightning;
  };
}
