/**
 * The shadow of one typed context's document: writes are tried here before the real document is touched.
 */
import type * as Y from "yjs";
import type { JsonOp } from "../../../shared/change.ts";
import type { ApplyOptions } from "../json/json-changes.ts";
import type { ContextSchema } from "./context-schema.ts";

export interface OpsTrial extends ApplyOptions {
  /** The Yjs client id to write under. */
  readonly clientId: number;
  /** For changes that put an earlier state back: counters may be set. */
  readonly maySetCounters?: boolean;
}

export interface RehearsedOps {
  /** For the real document, which must get it next; undefined when nothing changed. */
  readonly update: Uint8Array | undefined;
  readonly paths: readonly string[];
}

export class Rehearsal {
  constructor(_doc: Y.Doc, _schema: ContextSchema) {}

  /** Tries a scanned update; accepted, the real document must get it next. @throws {ServiceError} SCHEMA_VIOLATION */
  tryUpdate(_update: Uint8Array, _touched: readonly string[]): void {}

  /** @throws {ServiceError} SCHEMA_VIOLATION, and those of applyJsonOps and `beforeWrite` */
  tryOps(_ops: readonly JsonOp[], _options: OpsTrial): RehearsedOps {
    throw new Error("not yet");
  }

  /** The real document got an update that was not tried here. */
  applied(_update: Uint8Array): void {}
}
