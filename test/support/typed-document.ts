/**
 * A document with a type, written to as admission does it: live updates and JSON changes are rehearsed, then applied.
 *
 * Not here: everything else that admission checks.
 */
import * as Y from "yjs";
import { writeInitialData } from "../../server/state/json/json-data.ts";
import { compileSchema } from "../../server/state/schema/context-schema.ts";
import type { ContextSchema } from "../../server/state/schema/context-schema.ts";
import { Rehearsal } from "../../server/state/schema/rehearsal.ts";
import type { OpsTrial } from "../../server/state/schema/rehearsal.ts";
import { touchOf } from "../../server/state/update/touched-paths.ts";
import { scanUpdate } from "../../server/state/update/update-scanner.ts";
import type { JsonOp } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import { readData } from "../../shared/read-data.ts";

/** Under which the server writes. */
export const SERVER_ID = 1;

export class TypedDocument {
  readonly doc = new Y.Doc();
  readonly schema: ContextSchema;
  readonly rehearsal: Rehearsal;

  /**
   * The data need not fit the schema, as when that was registered later. The document keeps a client id beside the
   * server's: Yjs would take a new one, with a notice, whenever it gets an update under its own.
   */
  constructor(schema: JsonObject, data: JsonObject) {
    this.schema = compileSchema(schema);
    const usual = this.doc.clientID;
    this.doc.clientID = SERVER_ID;
    writeInitialData(this.doc, this.schema.markedData(data));
    this.doc.clientID = usual;
    this.rehearsal = new Rehearsal(this.doc, this.schema);
  }

  get data(): Json {
    return readData(this.doc, "");
  }

  /** The refusal, undefined when it was accepted. */
  change(ops: readonly JsonOp[], options: Partial<OpsTrial> = {}): ServiceError | undefined {
    return refusalOf(() => {
      const { update } = this.rehearsal.tryOps(ops, { clientId: SERVER_ID, ...options });
      if (update !== undefined) Y.applyUpdate(this.doc, update);
    });
  }

  receive(update: Uint8Array): ServiceError | undefined {
    return refusalOf(() => {
      const { paths, isNoop } = touchOf(this.doc, scanUpdate(update));
      if (isNoop) return;
      this.rehearsal.tryUpdate(update, paths);
      Y.applyUpdate(this.doc, update);
    });
  }

  /** A live client with what the document holds. */
  replica(clientID = 7): Y.Doc {
    const replica = new Y.Doc();
    Y.applyUpdate(replica, Y.encodeStateAsUpdate(this.doc));
    replica.clientID = clientID;
    return replica;
  }

  /** An edit by a new live client, sent at once. */
  edit(edit: (data: Y.Map<unknown>, doc: Y.Doc) => void, clientID = 7): ServiceError | undefined {
    const replica = this.replica(clientID);
    const before = Y.encodeStateVector(replica);
    replica.transact(() => edit(replica.getMap("data"), replica));
    return this.receive(Y.encodeStateAsUpdate(replica, before));
  }
}

function refusalOf(work: () => void): ServiceError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof ServiceError) return error;
    throw error;
  }
}

/** What stands at a key, as a map or list of a live client. */
export function mapIn(map: Y.Map<unknown>, key: string): Y.Map<unknown> {
  const value = map.get(key);
  if (!(value instanceof Y.Map)) throw new Error(`${key} is no map`);
  return value;
}
