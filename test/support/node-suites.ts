/**
 * Which tests of test/integration run a second time on three nodes over one database, each request and each session at the
 * next node, and why the others do not. test/arch/node-suites.test.ts holds it to what is there.
 *
 * Not here: how it is done (start-server.ts).
 */

/** In every run: who may what, and locks; rest-nodes has more. */
export const NODE_SUITES = ["access", "sdk-locks"] as const;

/** By `npm run test:nodes`: they take minutes. */
export const MORE_NODE_SUITES = [
  "cli-tokens",
  "content-attacks",
  "deploy",
  "epochs",
  "export-import",
  "mcp-access",
  "mcp-conformance",
  "mcp-example",
  "panel-boards",
  "panel-store",
  "panel-timeline",
  "rest-data",
  "sdk",
  "sdk-docs",
  "sdk-history",
  "sdk-identity",
  "sdk-rights",
  "token-attacks",
  "webhooks-page",
] as const;

const FOLDER = "it is about a folder of LevelDB";
const FAKE = "the service behind the transport is a fake, or driven from within";
const PROCESS = "it is about one process: its bounds, its figures, its log, its end";
const NO_SERVER = "it starts no server";
const NODES = "it starts nodes by itself";

export const ONE_NODE: Readonly<Record<string, string>> = {
  "alert-drills": PROCESS,
  attacks: PROCESS,
  balancer: NO_SERVER,
  "backup-damage": FOLDER,
  "backup-process": FOLDER,
  "cli-access": FAKE,
  "cli-audit": "each node tells of its own start",
  "cli-history": FAKE,
  "cli-lock-process": FAKE,
  "cli-locks": FAKE,
  "cli-webhooks": FAKE,
  cli: FAKE,
  "client-base": FAKE,
  "client-refusals": FAKE,
  client: FAKE,
  "cluster-proxy": "it starts nginx before stand-ins of nodes",
  "cut-off": NODES,
  "damaged-folder": FOLDER,
  "data-pages": FOLDER,
  demo: PROCESS,
  "dependency-audit": NO_SERVER,
  "disk-full": FOLDER,
  edges: PROCESS,
  "history-trace": FAKE,
  hostile: PROCESS,
  "http-post": NO_SERVER,
  "layout-1": FOLDER,
  "level-reader": FOLDER,
  "level-store": FOLDER,
  "locks-page": FAKE,
  "make-folder": NO_SERVER,
  "mcp-hub": "a program with a socket beside its folder",
  "mcp-streams": FAKE,
  migrate: NODES,
  "monitor-probes": NO_SERVER,
  "monitor-rest": PROCESS,
  "monitor-scrape": PROCESS,
  "node-compaction": NODES,
  "node-services": NODES,
  nodes: NODES,
  oidc: NO_SERVER,
  "panel-page": "a page is the same at every node",
  "prometheus-rules": NO_SERVER,
  proxies: PROCESS,
  rates: PROCESS,
  "rest-audit": FAKE,
  "rest-conflicts": FAKE,
  "rest-faults": FAKE,
  "rest-nodes": NODES,
  "rest-service": "its suites run on nodes in rest-nodes",
  rest: FAKE,
  restored: FOLDER,
  "session-traffic": "traffic is told by the node where the session is",
  stopping: FOLDER,
  trace: "it starts the built program",
  verify: FOLDER,
  "y-leveldb": FOLDER,
};
