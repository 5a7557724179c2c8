/**
 * What a context begins with: its metadata, and the checkpoint that holds its initial data.
 */
import * as Y from "yjs";
import type { ContextMeta } from "../../shared/context.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { Json } from "../../shared/json.ts";
import { parseContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { readData } from "../../shared/read-data.ts";
import type { Clock } from "../clock.ts";
import type { Caller, NewContext } from "../context-service.ts";
import { authorIdOf } from "../state/author-id.ts";
import { writeInitialData } from "../state/json/json-data.ts";
import type { ContextSchema } from "../state/schema/context-schema.ts";
import type { FirstCheckpoint } from "../storage/change-log.ts";

interface FirstStateOptions {
  readonly clock: Clock;
  readonly nodeClientId: number;
  /** Of the context's type. */
  readonly schema: ContextSchema | undefined;
}

/** @throws {ServiceError} INVALID_CHANGE, TOO_LARGE, SCHEMA_VIOLATION */
export function firstState(
  { identity }: Caller,
  context: NewContext,
  { clock, nodeClientId, schema }: FirstStateOptions,
): { readonly meta: ContextMeta; readonly checkpoint: FirstCheckpoint; readonly data: Json } {
  const { data = {}, id = parseContextId(clock.newId()), tags = [], ...described } = context;
  const meta: ContextMeta = {
    ...described,
    id,
    tags,
    createdAtMs: clock.nowMs(),
    createdBy: identity.actor,
    epoch: 1,
    firstEpoch: 1,
    authorSalt: clock.randomUint32(),
  };
  const doc = new Y.Doc();
  doc.clientID = authorIdOf(nodeClientId, meta);
  writeInitialData(doc, schema?.markedData(data) ?? data);
  const state = Y.encodeStateAsUpdateV2(doc);
  if (state.byteLength > LIMITS.contextBytesMax) {
    throw new ServiceError(
      "TOO_LARGE",
      `A context may have ${LIMITS.contextBytesMax} bytes. Create it with less and split the rest.`,
    );
  }
  const written = readData(doc, "");
  schema?.check(written);
  const { authorSalt } = meta;
  const checkpoint = { seq: 0, version: 0, state, owners: [], retired: [], authorSalt, locks: [] };
  return { meta, checkpoint, data: written };
}
