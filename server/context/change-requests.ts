/**
 * JSON changes on their way to a context's turn: idempotency, preconditions on old versions, compactions that come between.
 *
 * Invariants (IDEM, CTX):
 *  1. A request under an idempotency key is carried out once, however often it is sent.
 *  2. A change that meets a compaction goes on in the new epoch: it does not depend on the document's history.
 *
 * Not here: the turn itself (write-path.ts), what a change does to the document (state/).
 */
import type { ContextId } from "../../shared/ids.ts";
import type { Clock } from "../clock.ts";
import type { PlannedChange } from "../context-access.ts";
import type { Caller, ChangeOutcome, ChangeRequest } from "../context-service.ts";
import type { Precondition } from "../state/precondition.ts";
import type { LiveContext, WriteResult } from "../state/state-manager.ts";
import type { OpsWrite, Write } from "../state/writes.ts";
import type { Idempotency } from "../storage/change-log.ts";
import type { StorageManager } from "../storage/storage-manager.ts";
import { IdempotentCalls } from "./idempotency.ts";
import { olderTouches } from "./older-touches.ts";
import type { PendingWrite } from "./write-path.ts";

type Live = LiveContext<PendingWrite>;

interface ChangeRequestsOptions {
  readonly clock: Clock;
  readonly storage: Pick<StorageManager, "read" | "findIdempotent">;
  /** Runs a task with the context, again when the context was compacted meanwhile. */
  readonly surviving: <Result>(id: ContextId, task: (live: Live) => Promise<Result>) => Promise<Result>;
  /** Queues a write; its answer comes when it is durable. */
  readonly queued: (live: Live, write: Write, idempotency?: Idempotency) => Promise<WriteResult>;
}

/** A write without what the context's turn gives it. */
type Asked = Omit<OpsWrite, "kind" | "actor" | "identity" | "ifVersion"> & {
  readonly ifVersion?: Omit<Precondition, "older">;
  readonly idempotency?: Idempotency;
};

export class ChangeRequests {
  readonly #storage: ChangeRequestsOptions["storage"];
  readonly #surviving: ChangeRequestsOptions["surviving"];
  readonly #queued: ChangeRequestsOptions["queued"];
  readonly #idempotent: IdempotentCalls;

  constructor({ clock, storage, surviving, queued }: ChangeRequestsOptions) {
    this.#storage = storage;
    this.#surviving = surviving;
    this.#queued = queued;
    this.#idempotent = new IdempotentCalls(storage, clock);
  }

  async requested(caller: Caller, id: ContextId, request: ChangeRequest): Promise<ChangeOutcome> {
    const { ops, ifVersion: version, ifVersionScope: scope = "paths", message, lockTokens: tokens = [] } = request;
    const asked = {
      ops,
      origin: caller.origin,
      tokens,
      ...(version === undefined ? {} : { ifVersion: { version, scope } }),
      ...(message === undefined ? {} : { message }),
    };
    return this.#idempotent.once(id, caller.identity.actor, request, async (idempotency) =>
      this.#write(caller, id, { ...asked, ...(idempotency === undefined ? {} : { idempotency }) }),
    );
  }

  async planned(caller: Caller, id: ContextId, planned: PlannedChange): Promise<ChangeOutcome> {
    const { plan, ifVersion: version, ...rest } = planned;
    const precondition = version === undefined ? {} : { ifVersion: { version, scope: "paths" as const } };
    return { ...(await this.#write(caller, id, { ...rest, ops: plan, ...precondition })), replayed: false };
  }

  async #write(caller: Caller, id: ContextId, asked: Asked): Promise<WriteResult> {
    return this.#surviving(id, async (live) => this.#enqueue(live, caller, asked));
  }

  async #enqueue(live: Live, { identity }: Caller, { idempotency, ifVersion, ...rest }: Asked): Promise<WriteResult> {
    const { floor } = live.state.touches;
    const after = ifVersion?.scope === "paths" ? ifVersion.version : floor;
    const older = after < floor ? await olderTouches(this.#storage, live.id, { after, upTo: floor }) : undefined;
    const precondition = ifVersion && { ...ifVersion, ...(older === undefined ? {} : { older }) };
    const { actor } = identity;
    const conditions = precondition === undefined ? {} : { ifVersion: precondition };
    return this.#queued(live, { kind: "ops", actor, identity, ...rest, ...conditions }, idempotency);
  }
}
