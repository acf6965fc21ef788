// Types of the conformance program.

/** What conformance cases say of their run, and of the reference's runtime. */
interface Tracing {
  level?: string;
  options?: TestOptions;
}

/** `modules`, `repo`: what plans of the reference may say. */
interface LinkerOptions {
  whitelist?: string[];
  modules?: Record<string, { path?: string; version?: string }>;
  repo?: string;
  openRuntime?: boolean;
}

/** The OPTIONS frame of a case. */
interface CaseOptions extends RunOptions {
  case?: Tracing;
}

interface TestOptions {
  linker?: LinkerOptions;
  jobLogger?: { level?: string; sanitize?: string };
  stateLimitMb?: number;
  resolvers?: { state?: Bag; credential?: Bag };
  globals?: Bag;
  immutableState?: boolean;
  defaultRunTimeoutMs?: number;
  profile?: boolean;
}
