// Stands for the reference's start script: same arguments, says READY to its parent, passes signals
// on and ends with the worker's exit code.
import { startHoldfast } from './process.js';

const { child, ended } = startHoldfast(process.argv.slice(2), process.env, (entry, line) => {
  console.log(line);
  if (entry.event === 'worker.started') process.send?.('READY');
});
for (const signal of /** @type {const} */ (['SIGTERM', 'SIGINT'])) {
  process.on(signal, () => child.kill(signal));
}
ended.then((code) => process.exit(typeof code === 'number' ? code : 1));
