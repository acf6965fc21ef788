// What job code sees beside JavaScript itself and its adaptor's operations.
// Written by `holdfast editor`: changes are lost.

/** What operations take and give: a JSON value with these members, and your own. */
interface State {
  /** What came in, or what the last operation fetched. */
  data: any;
  /** The values of the step's credential. */
  configuration: any;
  /** Earlier values of `data`. */
  references: any[];
  /** The last answer, where the adaptor keeps it. */
  response?: any;
  /** What steps before this one failed with, by step. */
  errors?: any;
  [key: string]: any;
}

/** One operation: it runs when the operations before it have ended. */
interface Operation {
  (state: State): any;
  /** Go on with the state that it leaves. */
  then(next: (state: State) => any): Operation;
  /** Go on where it fails. */
  catch(handle: (error: any, state: State) => any): Operation;
}

/** The state at the moment an operation runs, for its arguments: `$.data.name`. */
declare const $: any;

/**
 * Mark an operation: its requests that may change something carry a header `Idempotency-Key` that is
 * the same whenever this work order is tried again. `name` says which thing it is: `$.data.id`.
 */
declare function idempotent(
  name: string | number | ((state: State) => any),
  operation: (state: any) => any,
): Operation;

/** Lines of the run's log. */
declare const console: {
  log(...items: any[]): void;
  info(...items: any[]): void;
  debug(...items: any[]): void;
  warn(...items: any[]): void;
  error(...items: any[]): void;
};

declare function setTimeout(call: (...values: any[]) => any, ms?: number, ...values: any[]): any;
declare function clearTimeout(timer: any): void;
declare function setInterval(call: (...values: any[]) => any, ms?: number, ...values: any[]): any;
declare function clearInterval(timer: any): void;
declare function structuredClone<T>(value: T): T;
/** From base64. */
declare function atob(text: string): string;
/** To base64. */
declare function btoa(text: string): string;

interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly statusText: string;
  readonly url: string;
  readonly headers: {
    get(name: string): string | null;
    has(name: string): boolean;
    forEach(call: (value: string, name: string) => void): void;
  };
  readonly body: any;
  json(): Promise<any>;
  text(): Promise<string>;
  arrayBuffer(): Promise<ArrayBuffer>;
  blob(): Promise<Blob>;
}

/** One request. Operations of adaptors know the credential; this does not. */
declare function fetch(
  address: string | URL,
  options?: {
    method?: string;
    headers?: any;
    body?: any;
    signal?: any;
    redirect?: 'follow' | 'error' | 'manual';
  },
): Promise<Answer>;

declare class URLSearchParams {
  constructor(from?: string | Record<string, string> | Iterable<[string, string]>);
  append(name: string, value: string): void;
  delete(name: string): void;
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string): boolean;
  set(name: string, value: string): void;
  toString(): string;
  [Symbol.iterator](): IterableIterator<[string, string]>;
}

declare class URL {
  constructor(address: string, base?: string | URL);
  hash: string;
  host: string;
  hostname: string;
  href: string;
  readonly origin: string;
  password: string;
  pathname: string;
  port: string;
  protocol: string;
  search: string;
  readonly searchParams: URLSearchParams;
  username: string;
  toString(): string;
}

declare class TextEncoder {
  encode(text?: string): Uint8Array;
}

declare class TextDecoder {
  constructor(encoding?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes?: any): string;
}

declare class AbortController {
  readonly signal: any;
  abort(reason?: any): void;
}

declare class Blob {
  constructor(parts?: any[], options?: { type?: string });
  readonly size: number;
  readonly type: string;
  arrayBuffer(): Promise<ArrayBuffer>;
  text(): Promise<string>;
}

declare class Event {
  constructor(type: string, options?: any);
  readonly type: string;
}

/** Bytes. `Buffer.from(text, 'base64').toString()`; it has no constructor here. */
declare const Buffer: {
  from(value: any, encoding?: string): any;
  alloc(size: number, fill?: any): any;
  concat(list: any[], length?: number): any;
  byteLength(text: string, encoding?: string): number;
  isBuffer(value: any): boolean;
};

/** Data that many runs share: `collections.get('facilities', { key: $.data.code })`. */
declare const collections: {
  get(name: string, query?: any): Operation;
  set(name: string, key: any, values: any): Operation;
  remove(name: string, query?: any): Operation;
  each(name: string, query: any, callback: (state: State, value: any, key: string) => any): Operation;
};
