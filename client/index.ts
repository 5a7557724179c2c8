/** The public face of the SDK: `import { connect } from "mcp-context-manager/client"`. */
export { connect } from "./client.ts";
export type { Client, ConnectOptions, OpenOptions } from "./client.ts";
export type { Context, UpdateOptions } from "./context.ts";
export type { Unsubscribe } from "./emitter.ts";
export { indexedDb } from "./indexed-db.ts";
export type { LiveData } from "./live-data.ts";
export type { PathEvent, PathListener } from "./path-events.ts";
export type { Others, Presence } from "./presence.ts";
export type { ContextEvents, ContextStatus, Refusal } from "./replica.ts";
export type { Persistence, RecordStore } from "./replica-store.ts";
export type { ChangeRecord, JsonOp } from "../shared/change.ts";
export { ServiceError } from "../shared/errors.ts";
export type { ErrorCode } from "../shared/errors.ts";
export type { Json, JsonObject } from "../shared/json.ts";
export type { ContextList, ContextView, CreateRequest, FindQuery } from "../shared/protocol/rest.ts";
