// Stands for the reference's worker in its own integration tests: `createServer` takes the options
// of the reference's and starts `holdfast worker` with them, as variables.
import { startHoldfast } from './process.js';

/**
 * Options of the reference's server and engine, and the variable of each.
 * @type {Record<string, [string, (value: any) => string]>}
 */
const VARIABLES = {
  port: ['WORKER_PORT', String],
  lightning: ['WORKER_LIGHTNING_SERVICE_URL', String],
  secret: ['WORKER_SECRET', String],
  runPublicKey: ['WORKER_LIGHTNING_PUBLIC_KEY', (key) => Buffer.from(key).toString('base64')],
  workloopConfigs: ['WORKER_WORKLOOPS', String],
  backoff: ['WORKER_BACKOFF', ({ min, max }) => `${min / 1000}/${max / 1000}`],
  payloadLimitMb: ['WORKER_MAX_PAYLOAD_MB', String],
  logPayloadLimitMb: ['WORKER_MAX_LOG_PAYLOAD_MB', String],
  collectionsVersion: ['WORKER_COLLECTIONS_VERSION', String],
  collectionsUrl: ['WORKER_COLLECTIONS_URL', String],
  monorepoDir: ['OPENFN_ADAPTORS_REPO', String],
  // The tests give 10 ms, which a busy machine does not keep.
  messageTimeoutSeconds: ['WORKER_MESSAGE_TIMEOUT_SECONDS', (given) => String(Math.max(1, given))],
  claimTimeoutSeconds: ['WORKER_CLAIM_TIMEOUT_SECONDS', String],
  socketTimeoutSeconds: ['WORKER_SOCKET_TIMEOUT_SECONDS', String],
  batchLogs: ['WORKER_BATCH_LOGS', String],
  batchInterval: ['WORKER_BATCH_INTERVAL', String],
  batchLimit: ['WORKER_BATCH_LIMIT', String],
  repoDir: ['WORKER_REPO_DIR', String],
  runTimeoutMs: ['WORKER_MAX_RUN_DURATION_SECONDS', (ms) => String(ms / 1000)],
  memoryLimitMb: ['WORKER_MAX_RUN_MEMORY_MB', String],
};

/** @param {Record<string, any>} options */
function variables(options) {
  /** @type {Record<string, string>} */
  const found = {};
  for (const [name, [variable, text]] of Object.entries(VARIABLES)) {
    if (options[name] !== undefined) found[variable] = text(options[name]);
  }
  return found;
}

/**
 * What the tests hear of the engine: its log, and that an adaptor was installed.
 * @param {any} engine
 * @param {Record<string, any>} entry
 */
function tell(engine, entry) {
  const { logger } = engine.options;
  // The reference's engine says `complete workflow` where ours says `run.done`.
  const words = entry.event === 'run.done' ? 'complete workflow' : entry.event;
  logger?.info(words, entry);
  if (entry.event === 'adaptor.installed') {
    const { name: module, version, seconds } = entry;
    const wanted = engine.handlers[entry.run]?.['autoinstall-complete'];
    wanted?.({ module, version, duration: seconds * 1000 });
  }
}

/**
 * @param {any} engine
 * @param {Record<string, any>} [options]
 */
export default function createServer(engine, options = {}) {
  const capacity = options.maxWorkflows ?? engine.options.maxWorkers;
  const environment = {
    ...(options.secret ? {} : { WORKER_DEBUG: 'true' }), // which starts without one
    ...variables({ ...engine.options, ...options }),
    ...(capacity && !options.workloopConfigs ? { WORKER_CAPACITY: String(capacity) } : {}),
  };
  /** @type {Record<string, true>} */
  const workflows = {};
  const whole = { ...process.env, ...environment };
  const { child, ended } = startHoldfast([], whole, (entry, line) => {
    if (process.env.OPENFN_DEBUG_WORKER) console.log(line);
    const run = String(entry.run);
    if (entry.event === 'run.claimed') workflows[run] = true;
    if (entry.event === 'run.done') delete workflows[run];
    tell(engine, entry);
  });
  const worker = {
    workflows,
    get queueChannel() {
      throw new Error("a test looks into the client of the reference's worker");
    },
    destroyed: false,
    on: engine.on,
    async destroy() {
      child.kill('SIGTERM');
      await ended;
    },
  };
  ended.then(() => {
    worker.destroyed = true;
  });
  return worker;
}
