// What a step used: time, processor, memory, sizes, log lines.

import { milliseconds } from './clock.mjs';
import { isForked } from './forked.mjs';
import { heapBytes } from './internals.mjs';

const cpuUsage = process.cpuUsage.bind(process);
const resourceUsage = process.resourceUsage.bind(process);
const residentNow = process.memoryUsage.rss.bind(process.memoryUsage);

/** Most memory this process ever had resident, in bytes. */
const highWater = () => resourceUsage().maxRSS * 1024;

/** What the kernel shows a child of a zygote in files is the zygote's. */
const residentBytes = () => (isForked() ? highWater() : residentNow());

export class Measure {
  constructor() {
    this.started = milliseconds();
    this.cpu = cpuUsage();
    this.highBefore = highWater();
    this.peakHeap = heapBytes();
    /** @type {number | undefined} */
    this.resident = undefined;
    this.logLines = 0;
    this.stateIn = 0;
    this.stateOut = 0;
  }

  /** Look at the heap now: at every operation, and at the end. */
  sample() {
    this.peakHeap = Math.max(this.peakHeap, heapBytes());
  }

  /** Milliseconds since the step began. */
  get elapsed() {
    return Math.round(milliseconds() - this.started);
  }

  /**
   * Heap in use and resident memory now, in bytes, as the reference reports them.
   * @returns {Memory}
   */
  memory() {
    this.resident = residentBytes(); // reads a file: once in a step is enough
    return { job: heapBytes(), system: this.resident };
  }

  /** The measures for the journal; sizes in bytes, times in ms. */
  report() {
    this.sample();
    const cpu = cpuUsage(this.cpu);
    const high = highWater();
    return {
      duration_ms: this.elapsed,
      cpu_ms: Math.round((cpu.user + cpu.system) / 1000),
      peak_heap_bytes: this.peakHeap,
      // the kernel's high-water mark is of this step only when it rose during the step
      peak_memory_bytes: high > this.highBefore ? high : this.resident ?? residentBytes(),
      state_in_bytes: this.stateIn,
      state_out_bytes: this.stateOut,
      log_lines: this.logLines,
    };
  }
}
