// Types of the conformance program.

/** What conformance cases say of their run, and of the reference's runtime. */
interface Tracing {
  level?: string;
  options?: TestOptions;
}

interface TestOptions {
  linker?: { whitelist?: string[]; modules?: Record<string, { path?: string; version?: string }>; repo?: string };
  jobLogger?: { level?: string; sanitize?: string };
  stateLimitMb?: number;
  resolvers?: { state?: Bag; credential?: Bag };
  globals?: Bag;
  immutableState?: boolean;
  defaultRunTimeoutMs?: number;
  profile?: boolean;
}
