// Shapes of what the engine's modules exchange, for the type checker (`make check`) and for readers.
// Nothing of this is loaded by Node.js. Frames: docs/engine-protocol.md. Records: docs/journal.md.

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** An object of job code or of an adaptor: it may hold anything. */
type Bag = Record<string, any>;

/** A place in the author's text, from 1; `src` is its line. */
interface Position {
  line: number;
  column: number;
  src?: string;
}

/** What V8 says of a text; null where the place is unknown. */
interface Verdict {
  message: string;
  line: number | null;
  column: number | null;
}

/** `[line, column, author's line, author's column]`; a fifth element 1 marks text of the compiler. */
type Edit = number[];

interface Operation {
  /** From 1. */
  order: number;
  name: string;
  line: number;
  column?: number;
  deferred?: boolean;
}

/** The header of a step's MODULE frames. */
interface ModuleHeader {
  index: number;
  step: string;
  name: string;
  bytes: number;
  parts?: number[];
}

/** A source map, version 3, with the operations that the reference's compiler adds. */
interface SourceMap {
  mappings?: string;
  sources?: string[];
  sourcesContent?: (string | null)[];
  operations?: Operation[];
}

/** A rule of an edge as a plan has it. */
type Edge = boolean | string | null | { condition?: unknown; disabled?: boolean };

/** A step as a plan has it. */
interface RawStep {
  id?: string;
  name?: string;
  adaptors?: string[];
  next?: string | Record<string, Edge>;
  configuration?: string | Bag;
  state?: string | Bag;
  sourceMap?: SourceMap;
  /** Plans of the reference's own test cases. */
  linker?: Record<string, { path?: string; version?: string }>;
}

type PlannedStep = RawStep & { id: string };

interface RawPlan {
  id?: string;
  workflow?: {
    name?: string;
    steps?: RawStep[];
    start?: string;
    globals?: string;
    credentials?: Bag;
  };
  options?: PlanOptions;
}

interface PlanOptions {
  start?: string;
  end?: string;
  /** Milliseconds. */
  timeout?: number;
}

/** Where the worker's store has an adaptor. */
interface InstalledAdaptor {
  name?: string;
  version: string;
  path: string;
  entry: string;
  exports?: string[];
}

/** Keys and kinds of a value (facts.mjs). */
type Shape = string | number | { [key: string]: Shape };

/** Is told what the author of a step should know. */
type Note = (finding: Bag) => void;

/** The OPTIONS frame. */
interface RunOptions {
  run_id?: string;
  process_per_step?: boolean;
  hosts?: Record<string, string[]>;
  dataclip_id?: string;
  versions?: Record<string, string>;
  adaptors?: Record<string, InstalledAdaptor>;
  state_props_to_remove?: string[];
  payload_limit_mb?: number;
  log_payload_limit_mb?: number;
  state_limit_mb?: number;
  job_log_level?: string;
  /** What jobs may know of their run, beside its id and start. */
  meta?: Record<string, string>;
  output_dataclips?: boolean;
  /** A standby process gets these first. */
  preload?: string[];
  /** The project agreed: keep answers of requests, clock and random numbers for replays. */
  record?: boolean;
  /** Answers come from a recording; clock and random numbers from its tape, where it has one. */
  replay?: { recording: { host: string; port: number }; tape?: any[] };
  /** What this process is to be, or is: children are forked from it, or it was forked. */
  zygote?: 'parent' | 'child';
}

/** A stack trace: what stands before the frames, and the frames. */
interface Trace {
  head: string;
  frames: string[];
}

type Level = 'debug' | 'info' | 'success' | 'always' | 'warn' | 'error';

/** Bytes in use when a step had ended. */
interface Memory {
  job: number;
  system: number;
}

/** A document as a record has it (docs/journal.md). */
type RecordedDocument =
  | { inline: string }
  | { stream: number; bytes: number }
  | { withheld: string; bytes: number; largest_key: string | null }
  | { omitted: true };

declare namespace NodeJS {
  interface Process {
    /** Leave at once, without `exit` handlers. */
    reallyExit(code?: number): never;
  }
}
