/**
 * Contexts on their way in and out of the server, and the backup of all of them.
 *
 * Invariants (DATA):
 *  1. A context is imported whole or not at all: it is made in one durable step from a document that is complete and judged.
 *  2. Its document keeps its items' ids. They belong to nobody: whoever goes on writing under one first, owns it from then on.
 *     The server writes under an id that the document does not know.
 *  3. Input is held for a bounded number of imports at once, and a bounded number of backups runs.
 *
 * Not here: judging updates (state/import), the stream of a backup (storage/backup), who may do what: `backup` is for admins of
 * the server, `import` for who may create contexts (and delete what it replaces), the exports for who may read.
 */
import * as Y from "yjs";
import type { ContextMeta } from "../../shared/context.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { diffRoots } from "../../shared/json-diff.ts";
import { splitUpdates } from "../../shared/protocol/update-list.ts";
import { readData, readRoots } from "../../shared/read-data.ts";
import type { RootsJson } from "../../shared/read-data.ts";
import type { Clock } from "../clock.ts";
import type { ContextAccess } from "../context-access.ts";
import type {
  Caller,
  ContextSummary,
  DataService,
  ImportContent,
  ImportOutcome,
  ImportRequest,
} from "../context-service.ts";
import { authorIdOf } from "../state/author-id.ts";
import { contextNotFound } from "../state/context-not-found.ts";
import type { ImportedDocument } from "../state/import/imported-document.ts";
import { applyJsonOps } from "../state/json/json-changes.ts";
import type { StorageManager } from "../storage/storage-manager.ts";
import type { TypeManager } from "../types/type-manager.ts";
import type { DocumentMaker } from "./document-maker.ts";

export interface DataUseCasesOptions {
  readonly access: Pick<ContextAccess, "look">;
  readonly remove: (caller: Caller, id: ContextId) => Promise<void>;
  /** A context was made by an import. */
  readonly onCreated: (id: ContextId) => void;
  /** @throws {ServiceError} SHUTTING_DOWN */
  readonly assertOpen: () => void;
  readonly storage: Pick<StorageManager, "backup" | "create" | "load" | "nodeClientId" | "summary">;
  readonly types: Pick<TypeManager, "freshSchemaOf">;
  readonly clock: Clock;
  readonly documents: DocumentMaker;
  readonly events: { emit(meta: ContextMeta, kind: "created"): void };
}

const NOTHING: RootsJson = { data: {}, roots: {} };

/** A document that is to become a context. */
interface Made {
  readonly state: Uint8Array;
  readonly authorSalt: number;
  readonly voids: ImportedDocument["voids"];
  readonly updates?: ImportOutcome["updates"];
}

export class DataUseCases implements DataService {
  readonly #options: DataUseCasesOptions;
  #imports = 0;
  #backups = 0;

  constructor(options: DataUseCasesOptions) {
    this.#options = options;
  }

  async exportJson(_caller: Caller, id: ContextId): Promise<ContextSummary & RootsJson> {
    const { meta, head, result } = await this.#options.access.look(id, readRoots);
    return { meta, head, ...result };
  }

  async exportYjs(
    _caller: Caller,
    id: ContextId,
    encoding: 1 | 2,
  ): Promise<{ readonly version: number; readonly update: Uint8Array }> {
    const { storage, documents } = this.#options;
    this.#options.assertOpen();
    const stored = await storage.load(id);
    if (stored === undefined) throw contextNotFound();
    const { checkpoint: base, tail, head } = stored;
    const update = await documents.encode({ base, tail, nodeClientId: storage.nodeClientId, encoding });
    return { version: head.version, update };
  }

  async import(caller: Caller, request: ImportRequest): Promise<ImportOutcome> {
    this.#options.assertOpen();
    if (this.#imports >= LIMITS.importsInFlightMax) throw tooMany("imports");
    this.#imports++;
    try {
      const { id, replace = false } = request;
      const old = await this.#options.storage.summary(id);
      if (old !== undefined && !replace) throw alreadyThere(id);
      const { updates, ...made } = await this.#make(await request.content(), request.type);
      // only now that there is something to put in its place
      if (old !== undefined) await this.#remove(caller, old);
      return { ...(await this.#create(caller, request, made)), ...(updates === undefined ? {} : { updates }) };
    } finally {
      this.#imports--;
    }
  }

  async backup(_caller: Caller, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    this.#options.assertOpen();
    if (this.#backups >= LIMITS.backupsInFlightMax) throw tooMany("backups");
    this.#backups++;
    try {
      await this.#options.storage.backup(write);
    } finally {
      this.#backups--;
    }
  }

  async #make(content: ImportContent, type: string | undefined): Promise<Made> {
    const schema = await this.#options.types.freshSchemaOf(type);
    if (content.kind === "json") {
      const authorSalt = this.#options.clock.randomUint32();
      const doc = new Y.Doc();
      doc.clientID = authorIdOf(this.#options.storage.nodeClientId, { authorSalt });
      const { data, roots } = content;
      const ops = diffRoots(NOTHING, { data: schema?.markedData(data) ?? data, roots: knownRoots(roots) });
      applyJsonOps(doc, ops, undefined, { isPlanned: true });
      schema?.check(readData(doc, ""));
      return { state: checked(Y.encodeStateAsUpdateV2(doc)), authorSalt, voids: [] };
    }
    // a list that cannot be read is told as that, not as a failure of the thread
    const given = splitUpdates(content.list).length;
    const { state, clients, voids, ...updates } = await this.#options.documents.assemble(content.list);
    const [first] = updates.refusals;
    if (first !== undefined && updates.refused === given) throw new ServiceError(first.code, first.message);
    if (clients.length > LIMITS.clientIdsMax) throw tooManyIds(clients.length);
    if (schema !== undefined) {
      const doc = new Y.Doc();
      Y.applyUpdateV2(doc, state);
      schema.check(readData(doc, ""));
    }
    return { state: checked(state), authorSalt: this.#freshSalt(clients), voids, updates };
  }

  /** The server must not go on under an id of the document's. */
  #freshSalt(clients: ImportedDocument["clients"]): number {
    const { clock, storage } = this.#options;
    const taken = new Set(clients);
    for (;;) {
      const authorSalt = clock.randomUint32();
      if (!taken.has(authorIdOf(storage.nodeClientId, { authorSalt }))) return authorSalt;
    }
  }

  async #create(
    { identity }: Caller,
    { id, type, name, description, tags = [] }: ImportRequest,
    { state, authorSalt, voids }: Omit<Made, "updates">,
  ): Promise<ContextSummary> {
    const { clock, storage, events } = this.#options;
    const meta: ContextMeta = {
      id,
      ...(type === undefined ? {} : { type }),
      ...(name === undefined ? {} : { name }),
      ...(description === undefined ? {} : { description }),
      tags,
      createdAtMs: clock.nowMs(),
      createdBy: identity.actor,
      epoch: 1,
      firstEpoch: 1,
      authorSalt,
    };
    const told = voids.length === 0 ? {} : { voids };
    const first = { seq: 0, version: 0, state, owners: [], retired: [], authorSalt, locks: [], ...told };
    const created = await storage.create(meta, first);
    this.#options.onCreated(id);
    events.emit(created.meta, "created");
    return created;
  }

  async #remove(caller: Caller, { meta: { id, firstEpoch } }: ContextSummary): Promise<void> {
    const now = await this.#options.storage.summary(id);
    // deleted meanwhile: just as good, unless another one has the id, which is somebody else's
    if (now?.meta.firstEpoch !== firstEpoch) return;
    await this.#options.remove(caller, id);
  }
}

function knownRoots(roots: RootsJson["roots"]): RootsJson["roots"] {
  const limit = LIMITS.rootTypesMax;
  if (Object.keys(roots).length < limit) return roots;
  throw new ServiceError("LIMIT_EXCEEDED", `A context may have ${limit} roots, the data among them.`, {
    details: { limit },
  });
}

function checked(state: Uint8Array): Uint8Array {
  if (state.byteLength <= LIMITS.contextBytesMax) return state;
  throw new ServiceError(
    "TOO_LARGE",
    `A context may have ${LIMITS.contextBytesMax} bytes, and this document has ${state.byteLength}. Split it where it came from.`,
    { details: { limitBytes: LIMITS.contextBytesMax } },
  );
}

function tooManyIds(count: number): ServiceError {
  return new ServiceError(
    "LIMIT_EXCEEDED",
    `The document was written under ${count} Yjs client ids; a context may know ${LIMITS.clientIdsMax}. Import its content as JSON instead.`,
    { details: { limit: LIMITS.clientIdsMax } },
  );
}

function tooMany(what: "imports" | "backups"): ServiceError {
  return new ServiceError(
    "RATE_LIMITED",
    `As many ${what} as may run at once are under way. Try again when one is done.`,
  );
}

function alreadyThere(id: ContextId): ServiceError {
  return new ServiceError(
    "ALREADY_EXISTS",
    `There is a context "${id}" already. Choose another id, or ask for it to be replaced: its history goes then.`,
  );
}
