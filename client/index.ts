/** The public face of the SDK: `import { connect } from "mcp-context-manager/client"`. */
export { connect } from "./client.ts";
export type { Client, ConnectOptions, OpenOptions } from "./client.ts";
export type { ConflictsPage, ConflictsQuery, Resolution, Resolved } from "./conflicts.ts";
export type { Context, ModifyOptions, UpdateOptions } from "./context.ts";
export type { ContextAccess } from "./context-access.ts";
export type { Unsubscribe } from "./emitter.ts";
export type {
  Blame,
  ChangesQuery,
  CheckpointOptions,
  Compacted,
  HistoryPage,
  HistoryQuery,
  Reverted,
  RevertOptions,
  Snapshot,
  UndoOptions,
} from "./history.ts";
export { indexedDb } from "./indexed-db.ts";
export type { Lease } from "./lease.ts";
export type { LiveData } from "./live-data.ts";
export type { LockInfo, LockOptions, LockWaiter } from "./locks.ts";
export type { Modified } from "./modify.ts";
export type { PathEvent, PathListener } from "./path-events.ts";
export type { Others, Presence } from "./presence.ts";
export type { ContextEvents, ContextStatus, LockNotice, Refusal } from "./replica-events.ts";
export type { Persistence, RecordStore } from "./replica-store.ts";
export type { TokenSource } from "./tokens.ts";
export type { Input, OpAt, OpsAt, Patch, ValueAt } from "./typed-data.ts";
export type { ContextTypes, Registered } from "./context-types.ts";
export type { ChangeOrigin, ChangeRecord, JsonOp, VersionScope } from "../shared/change.ts";
export type { Conflict, ConflictKind, ConflictPolicy, ConflictSide, ConflictStatus } from "../shared/conflict.ts";
export type { ContextType, SchemaViolation, TypeReport } from "../shared/context-type.ts";
export { ServiceError } from "../shared/errors.ts";
export type { ErrorCode } from "../shared/errors.ts";
export type { Authorship, BlameLine, Diff, KeptPath, NamedCheckpoint } from "../shared/history.ts";
export type { Json, JsonObject } from "../shared/json.ts";
export type { LockMode } from "../shared/lock.ts";
export type { Acl, Grant, Role } from "../shared/permission.ts";
export type { ContextList, ContextView, CreateRequest, FindQuery } from "../shared/protocol/rest.ts";
