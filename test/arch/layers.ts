/**
 * The layer table: which part of the system may import which, and which npm packages and node: modules it may use.
 *
 *   main, server → cli, transport → context-manager → sync, storage, security, monitor → state → shared
 *   client → shared                                    managers do not import each other; nobody imports a test
 *
 * Beside the line stand four ports, which are mostly types: clock, change-log (with peers, the other servers of a log), monitor-port (what the parts tell the monitor),
 * and context-service (the words of the facade);
 * and the worker pool, for managers whose work is too heavy for the event loop.
 *
 * 1. A file belongs to the first layer whose pattern matches; a file that belongs to none is a violation.
 * 2. "types" allows what the compiler erases: the arrow is knowledge of a shape, not of code.
 * 3. Widening a row is an architectural decision: say why in the commit, or in docs/decisions/ if it is a new arrow.
 */
import { importsOf, resolve } from "./source.ts";
import type { Import, Source } from "./source.ts";

interface Layer {
  readonly files: RegExp;
  readonly imports: Readonly<Record<string, "all" | "types">>;
  readonly npm: readonly string[];
  readonly node: readonly string[];
}

const MANAGER_IMPORTS = { shared: "all", state: "all", clock: "all", "monitor-port": "all" } as const;
const FILES = ["fs", "fs/promises", "path", "url", "os"];

export const LAYERS: Readonly<Record<string, Layer>> = {
  shared: { files: /^shared\//, imports: {}, npm: ["zod", "lib0", "yjs"], node: [] },
  clock: { files: /^server\/clock\.ts$/, imports: { shared: "all" }, npm: [], node: ["crypto"] },
  "monitor-port": { files: /^server\/monitor-port\.ts$/, imports: { shared: "all" }, npm: [], node: [] },
  "worker-pool": {
    files: /^server\/worker-(pool|source)\.ts$/,
    imports: { shared: "all", "monitor-port": "all" },
    // esbuild for servers that run from source, whose threads cannot read TypeScript
    npm: ["piscina", "esbuild"],
    node: ["crypto", "fs", "path", "url"],
  },
  "change-log": { files: /^server\/storage\/(change-log|peers)\.ts$/, imports: { shared: "all" }, npm: [], node: [] },
  state: {
    files: /^server\/state\//,
    imports: { shared: "all", clock: "types", "change-log": "types" },
    npm: ["yjs", "lib0", "ajv", "ajv-formats"],
    node: [],
  },
  sync: {
    files: /^server\/sync\//,
    imports: { ...MANAGER_IMPORTS, "change-log": "types", "context-service": "types" },
    npm: ["yjs", "lib0", "y-protocols", "zod"],
    node: [],
  },
  storage: {
    files: /^server\/storage\//,
    imports: { ...MANAGER_IMPORTS, "change-log": "all", "worker-pool": "all" },
    npm: ["yjs", "lib0", "classic-level", "lru-cache", "pg", "y-leveldb"],
    node: [...FILES, "assert/strict", "crypto", "worker_threads", "zlib"],
  },
  // the past of contexts, beside the live ones: it reads the log through the port, on a thread of its own
  history: {
    files: /^server\/history\//,
    imports: { ...MANAGER_IMPORTS, "change-log": "types", "context-service": "types", "worker-pool": "all" },
    npm: ["lru-cache"],
    node: [],
  },
  security: {
    files: /^server\/security\//,
    // the audit log is kept in side records, behind the log's port
    imports: { ...MANAGER_IMPORTS, "context-service": "types", "change-log": "types" },
    npm: ["jose", "lru-cache", "zod"],
    node: ["crypto", "net"],
  },
  monitor: {
    files: /^server\/monitor\//,
    // alerts are posted and signed as webhooks are
    imports: { ...MANAGER_IMPORTS, outbound: "all" },
    // zod reads the file of alert rules
    npm: ["pino", "pino-pretty", "prom-client", "zod"],
    node: ["crypto", "fs/promises", "os", "path", "perf_hooks", "v8"],
  },
  types: {
    files: /^server\/types\//,
    imports: { ...MANAGER_IMPORTS, "change-log": "types" },
    npm: [],
    node: ["fs/promises", "path"],
  },
  // HTTP requests that the server sends by itself: which addresses, signed, bounded. For every manager that tells others.
  outbound: {
    files: /^server\/outbound\//,
    imports: { shared: "all", clock: "all" },
    npm: [],
    node: ["crypto", "dns", "http", "https", "net"],
  },
  webhooks: {
    files: /^server\/webhooks\//,
    imports: { ...MANAGER_IMPORTS, "change-log": "types", "context-service": "types", outbound: "all" },
    npm: ["zod"],
    node: [],
  },
  "context-service": {
    files: /^server\/context-service\.ts$/,
    imports: { shared: "all", state: "types", sync: "types" },
    npm: [],
    node: [],
  },
  // the groups of use cases beside the facade's own, and the port through which they reach contexts
  "use-cases": {
    files: /^server\/(use-cases\/|context-access\.ts$)/,
    imports: {
      ...MANAGER_IMPORTS,
      "context-service": "types",
      "change-log": "types",
      storage: "types",
      monitor: "types",
      history: "all",
      types: "all",
      "worker-pool": "all",
    },
    // zod reads what other servers say of who waits for locks
    npm: ["yjs", "zod"],
    node: [],
  },
  "context-manager": {
    files: /^server\/(context-manager\.ts$|access-guard\.ts$|context\/)/,
    imports: {
      ...MANAGER_IMPORTS,
      "context-service": "all",
      "change-log": "types",
      "use-cases": "all",
      sync: "all",
      storage: "all",
      security: "all",
      monitor: "all",
      history: "all",
      types: "all",
      webhooks: "types",
    },
    npm: ["yjs"],
    node: ["crypto"],
  },
  transport: {
    files: /^server\/transport\//,
    // A rule is enforced once, behind the facade (promise P3): the managers' shapes may be named here, not called.
    imports: {
      shared: "all",
      clock: "all",
      "monitor-port": "types",
      "context-service": "all",
      "context-manager": "all",
      sync: "types",
      storage: "types",
      security: "types",
      monitor: "types",
    },
    npm: [
      "@modelcontextprotocol/server",
      "hono",
      "@hono/node-server",
      "ws",
      "zod",
      "zod-openapi",
      "yjs",
      "lib0",
      "y-protocols",
    ],
    node: [...FILES, "http", "net", "stream", "crypto"],
  },
  // security says what a key must be, so that a bad one is told with everything else that is wrong with a configuration
  config: {
    files: /^server\/config(-\w+)?\.ts$/,
    imports: { shared: "all", security: "all" },
    npm: ["zod"],
    // a secret is made opaque where it is read
    node: [...FILES, "crypto"],
  },
  server: {
    files: /^server\/server\.ts$/,
    imports: {
      ...MANAGER_IMPORTS,
      "change-log": "all",
      sync: "all",
      storage: "all",
      security: "all",
      monitor: "all",
      "context-service": "all",
      "context-manager": "all",
      history: "all",
      types: "all",
      "use-cases": "all",
      webhooks: "all",
      outbound: "all",
      transport: "all",
      config: "all",
    },
    npm: [],
    node: [...FILES, "events", "http", "net", "crypto"],
  },
  cli: {
    files: /^server\/cli\//,
    imports: {
      shared: "all",
      clock: "all",
      client: "all",
      config: "all",
      // tokens are made and read without a server
      security: "all",
      server: "all",
      storage: "all",
      transport: "all",
    },
    npm: ["@modelcontextprotocol/server", "commander", "picocolors", "cli-progress", "yjs", "zod"],
    // http: the local hub answers on a socket, which fetch cannot reach
    node: [...FILES, "child_process", "crypto", "http", "readline", "stream", "stream/web", "process"],
  },
  main: {
    files: /^server\/main\.ts$/,
    imports: { cli: "all", server: "all", config: "all" },
    npm: [],
    node: ["process"],
  },
  // What the panel knows, without a page to show it on: it runs in tests as it does in a browser.
  "panel-store": {
    files: /^client\/panel\/store\//,
    imports: { client: "all", shared: "all" },
    npm: ["@preact/signals-core", "yjs"],
    node: [],
  },
  panel: {
    files: /^client\/panel\//,
    imports: { "panel-store": "all", client: "types", shared: "all" },
    npm: [
      "preact",
      "@preact/signals",
      "uplot",
      "yjs",
      "@codemirror/state",
      "@codemirror/view",
      "@codemirror/commands",
      "y-codemirror.next",
      "vite",
    ],
    node: [],
  },
  // What only Node has, behind an entry of its own: no browser bundle ever sees it.
  "client-node": {
    files: /^client\/node\//,
    imports: { client: "all", shared: "all" },
    npm: [],
    node: [...FILES, "crypto", "zlib"],
  },
  client: {
    files: /^client\//,
    imports: { shared: "all" },
    npm: ["yjs", "lib0", "y-protocols", "y-websocket", "ws"],
    node: [],
  },
  // They run before anything is installed.
  scripts: { files: /^scripts\//, imports: {}, npm: [], node: [...FILES, "child_process", "crypto", "process"] },
};

export function layerOf(path: string): string | undefined {
  return Object.keys(LAYERS).find((name) => LAYERS[name]?.files.test(path));
}

/** One sentence per import that the table forbids. */
export function layerViolations(sources: readonly Source[]): string[] {
  const known = new Set(sources.map(({ path }) => path));
  return sources.flatMap((source) => {
    const name = layerOf(source.path);
    const layer = name === undefined ? undefined : LAYERS[name];
    if (name === undefined || layer === undefined) return [`${source.path} belongs to no layer of test/arch/layers.ts`];
    return importsOf(source)
      .map((found) => ({ found, why: objection({ path: source.path, name, layer, known }, found) }))
      .filter(({ why }) => why !== undefined)
      .map(({ found, why }) => `${source.path} -> ${found.specifier ?? "(computed)"}: ${why}`);
  });
}

interface Importer {
  readonly path: string;
  readonly name: string;
  readonly layer: Layer;
  readonly known: ReadonlySet<string>;
}

function objection({ path, name, layer, known }: Importer, { specifier, typesOnly }: Import): string | undefined {
  if (specifier === undefined) return "a computed import escapes every check";
  if (specifier.startsWith("node:")) {
    return layer.node.includes(specifier.slice(5)) ? undefined : `${name} may not use this Node module`;
  }
  if (!specifier.startsWith(".")) {
    return layer.npm.includes(packageOf(specifier)) ? undefined : `${name} may not use this package`;
  }
  const target = resolve(path, specifier);
  const to = layerOf(target);
  if (to === undefined) return "not a part of the system (a test, or no layer)";
  if (!known.has(target)) return "no such file";
  if (to === name) return undefined;
  const allowed = layer.imports[to];
  if (allowed === undefined) return `${name} may not import ${to}`;
  return allowed === "types" && !typesOnly ? `${name} may import only types of ${to}` : undefined;
}

function packageOf(specifier: string): string {
  const [first = "", second = ""] = specifier.split("/");
  return first.startsWith("@") ? `${first}/${second}` : first;
}

/** Every import cycle, types included: two files that need each other's shapes are one file, or lack a third. */
export function importCycles(sources: readonly Source[]): string[] {
  const edges = new Map(sources.map((source) => [source.path, targetsOf(source)]));
  const cycles: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) cycles.push([...trail.slice(at), path].join(" -> "));
    if (at >= 0 || done.has(path)) return;
    for (const target of edges.get(path) ?? []) walk(target, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) walk(path, []);
  return cycles;
}

/** The files of ours that a file imports. */
export function targetsOf(source: Source): string[] {
  return importsOf(source).flatMap(({ specifier }) =>
    specifier?.startsWith(".") === true ? [resolve(source.path, specifier)] : [],
  );
}
