/**
 * The public surface, as literals: a change here is a change for everybody who installed the package.
 *
 * To change it on purpose: edit the list, say it in CHANGELOG.md, and in UPGRADING.md if something went away.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, read, ROOT } from "./source.ts";

const CLIENT = "client/index.ts";
const CLIENT_VALUES: readonly string[] = ["ServiceError", "connect", "indexedDb"];
const CLIENT_TYPES: readonly string[] = [
  "Acl",
  "Authorship",
  "Blame",
  "BlameLine",
  "ChangeOrigin",
  "ChangeRecord",
  "ChangesQuery",
  "CheckpointOptions",
  "Client",
  "Compacted",
  "Conflict",
  "ConflictKind",
  "ConflictPolicy",
  "ConflictSide",
  "ConflictStatus",
  "ConflictsPage",
  "ConflictsQuery",
  "ConnectOptions",
  "Context",
  "ContextAccess",
  "ContextEvents",
  "ContextList",
  "ContextStatus",
  "ContextType",
  "ContextTypes",
  "ContextView",
  "CreateRequest",
  "Diff",
  "ErrorCode",
  "FindQuery",
  "Grant",
  "HistoryPage",
  "HistoryQuery",
  "Input",
  "Json",
  "JsonObject",
  "JsonOp",
  "KeptPath",
  "Lease",
  "LiveData",
  "LockInfo",
  "LockMode",
  "LockNotice",
  "LockOptions",
  "LockWaiter",
  "Modified",
  "ModifyOptions",
  "NamedCheckpoint",
  "OpAt",
  "OpenOptions",
  "OpsAt",
  "Others",
  "Patch",
  "PathEvent",
  "PathListener",
  "Persistence",
  "Presence",
  "RecordStore",
  "Refusal",
  "Registered",
  "Resolution",
  "Resolved",
  "RevertOptions",
  "Reverted",
  "Role",
  "SchemaViolation",
  "Snapshot",
  "TokenSource",
  "TypeReport",
  "UndoOptions",
  "Unsubscribe",
  "UpdateOptions",
  "ValueAt",
  "VersionScope",
];

describe.skipIf(!existsSync(join(ROOT, CLIENT)))("mcp-context-manager/client", () => {
  const exported = (types: boolean) =>
    parse(read(CLIENT))
      .module.staticExports.flatMap(({ entries }) => entries)
      .filter(({ isType }) => isType === types)
      .map(({ exportName }) => exportName.name ?? "*")
      .sort();

  test("exports these values", () => {
    expect(exported(false)).toEqual(CLIENT_VALUES);
  });

  test("exports these types", () => {
    expect(exported(true)).toEqual(CLIENT_TYPES);
  });
});

test("the package offers these entry points and programs", () => {
  const manifest = JSON.parse(read("package.json").text) as Record<"exports" | "bin", Record<string, unknown>>;
  expect(Object.keys(manifest.exports)).toEqual(["./client", "./client/node", "./package.json"]);
  expect(manifest.bin).toEqual({ "mcp-context-manager": "dist/server/main.js", mcm: "dist/server/main.js" });
});
