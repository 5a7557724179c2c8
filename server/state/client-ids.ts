/**
 * Who may write under which Yjs client id of one context (docs/yjs.md Y4).
 *
 * Invariants (STATE):
 *  1. An id belongs to the actor that first wrote under it in this epoch; those of servers to nobody else.
 *  2. Ids of earlier epochs are not written under any more: who does so holds a document that is no longer this context's.
 *
 * Not here: offering ids for reuse (server/sync).
 */
import { ServiceError } from "../../shared/errors.ts";
import type { Actor } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Touch } from "./update/touched-paths.ts";

type Advances = Touch["advances"];

interface ServerIds {
  /** Under which this server writes. */
  readonly authorId: number;
  /** Whether this or another server writes under it. */
  readonly isServers: (client: number) => boolean;
}

export class ClientIds {
  /** Under which this server itself writes. */
  readonly authorId: number;
  readonly retired: ReadonlySet<number>;
  readonly #owners: Map<number, Actor>;
  readonly #isServers: (client: number) => boolean;

  constructor({ authorId, isServers }: ServerIds, owners: ReadonlyMap<number, Actor>, retired: ReadonlySet<number>) {
    this.authorId = authorId;
    this.#isServers = isServers;
    this.retired = retired;
    this.#owners = new Map(owners);
  }

  get size(): number {
    return this.#owners.size;
  }

  ownerOf(client: number): Actor | undefined {
    return this.#owners.get(client);
  }

  /** @throws {ServiceError} EPOCH_CHANGED, CLIENT_ID_TAKEN, LIMIT_EXCEEDED */
  check(advances: Advances, actor: Actor): void {
    let newIds = 0;
    for (const { client } of advances) {
      if (this.retired.has(client)) throw oldEpoch();
      const owner = this.#owners.get(client);
      if (owner === undefined) newIds++;
      if (this.#isServers(client) || (owner !== undefined && owner !== actor)) throw taken(client);
    }
    if (newIds > 0 && this.#owners.size + newIds > LIMITS.clientIdsMax) {
      throw new ServiceError(
        "LIMIT_EXCEEDED",
        `The context has been written under ${LIMITS.clientIdsMax} Yjs client ids, which is its limit. Compact it.`,
        { details: { limit: LIMITS.clientIdsMax } },
      );
    }
  }

  claim(advances: Advances, actor: Actor): void {
    for (const { client } of advances) this.#owners.set(client, actor);
  }

  /** As the log tells it: an id is whose it was first. */
  claimed(advances: Advances, actor: Actor): void {
    for (const { client } of advances)
      if (!this.#isServers(client) && !this.#owners.has(client)) this.#owners.set(client, actor);
  }
}

export function oldEpoch(): ServiceError {
  return new ServiceError(
    "EPOCH_CHANGED",
    "The context was compacted, and this document is of an earlier epoch of it. Open the context in a new Y.Doc and make the edits again.",
  );
}

function taken(client: number): ServiceError {
  return new ServiceError(
    "CLIENT_ID_TAKEN",
    "The update writes under a Yjs client id that belongs to another actor. Open the context in a new Y.Doc and make the edit again.",
    { details: { yjsClientId: client } },
  );
}
