/**
 * Broken parts, each with a mistake that a good engineer could make. The simulation must find every one of them, or its
 * silence about the real parts means nothing.
 */
import { AccessWatch } from "../../server/context/access-watch.ts";
import { Revocations } from "../../server/security/revocations.ts";
import { AccessDesk } from "../../server/state/access/access-desk.ts";
import { Access } from "../../server/state/access/access-policy.ts";
import { ContextState } from "../../server/state/context-state.ts";
import { DocumentFold } from "../../server/state/document-fold.ts";
import { LockDesk } from "../../server/state/locks/lock-desk.ts";
import { LockQueue } from "../../server/state/locks/lock-queue.ts";
import { LockTable } from "../../server/state/locks/lock-table.ts";
import { Leases } from "../../server/state/locks/leases.ts";
import { StateManager } from "../../server/state/state-manager.ts";
import { forgettingPlaces, forgettingWritersAtPlaces, sparingEdits, trustingReaders } from "./access/broken-access.ts";
import {
  IDEMPOTENCY,
  droppingTooMuch,
  forgettingRetired,
  patched,
  publishingEarly,
  recordingLater,
  swapping,
  trustingRepetition,
  withBatch,
  write,
} from "./broken-parts.ts";
import {
  callingNewest,
  countingAnew,
  forgettingExpiry,
  forgettingLost,
  hurryingLeases,
  leakingVoids,
  trustingNames,
  trustingTokens,
} from "./locks/broken-locks.ts";
import { replaced } from "./server-life.ts";
import type { Sabotage } from "./server-life.ts";

interface PlantedBug {
  readonly mistake: string;
  /** Seeds within which it must be found. */
  readonly within: number;
  /** Seeds that do not play it are passed over; rights, where only locks are needed, are left out. */
  readonly needs?: "locks" | "access";
  readonly sabotage: Sabotage;
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    mistake: "[CTX-1] the store answers when the batch is in memory, before the sync",
    within: 10,
    sabotage: {
      store: (store) =>
        withBatch(store, (ops) => Promise.race([write(store, ops).catch(() => undefined), Promise.resolve()])),
    },
  },
  {
    mistake: "[CTX-1] changes are published while they are being appended",
    within: 10,
    sabotage: { log: (log) => publishingEarly(log) },
  },
  {
    mistake: "[CTX-2] two appends of one context overtake each other",
    within: 10,
    sabotage: { log: (log, clock) => swapping(log, clock) },
  },
  {
    mistake: "[LOG-1] one write in forty is lost",
    within: 10,
    sabotage: {
      store: (store, clock) =>
        withBatch(store, (ops) => (clock.randomUint32() % 40 === 0 ? Promise.resolve() : write(store, ops))),
    },
  },
  {
    mistake: "[IDEM-1] idempotency records are not written",
    within: 20,
    sabotage: {
      store: (store) =>
        withBatch(store, (ops) =>
          write(
            store,
            ops.filter(({ key }) => key[0] !== IDEMPOTENCY),
          ),
        ),
    },
  },
  {
    mistake: "[LOG-3] after a failed write the next one is tried as if nothing had happened",
    within: 20,
    sabotage: { store: (store) => withBatch(store, (ops) => write(store, ops).catch(() => write(store, ops))) },
  },
  {
    mistake: "[STATE-7] a checkpoint leaves its last entry out",
    within: 10,
    sabotage: { fold: (input) => ({ ...input, tail: input.tail.slice(0, -1) }) },
  },
  {
    mistake: "[EPOCH-3] a compaction lets writes go on while it copies, and loses them",
    within: 20,
    sabotage: { spoil: () => patched(StateManager.prototype, "pause", () => () => undefined) },
  },
  {
    mistake: "[EPOCH-4] an epoch retires no client ids",
    within: 20,
    sabotage: { spoil: () => patched(DocumentFold.prototype, "apply", forgettingRetired) },
  },
  {
    mistake: "[LOG-19] thinning drops a run of entries too many",
    within: 20,
    sabotage: { store: droppingTooMuch },
  },
  {
    mistake: "[HIST-9] an old version is folded from a checkpoint after it",
    within: 20,
    sabotage: {
      log: (log) => replaced(log, { checkpointBefore: (id, seq) => log.checkpointBefore(id, seq + 2) }),
    },
  },
  {
    mistake: "[PRE-2] who writes what stands there already is not held against its version",
    within: 20,
    sabotage: { spoil: () => patched(ContextState.prototype, "admit", trustingRepetition) },
  },
  {
    mistake: "[STATE-8] the record of a conflict is written after its change",
    within: 20,
    sabotage: { log: (log) => replaced(log, { append: recordingLater(log) }) },
  },
  {
    mistake: "[IDEM-3] a request that changed nothing is not remembered",
    within: 20,
    sabotage: { log: (log) => replaced(log, { recordIdempotent: () => Promise.resolve() }) },
  },
  {
    mistake: "[LOCK-14] nobody looks when a lease ends",
    within: 10,
    needs: "locks",
    sabotage: { spoil: () => patched(LockDesk.prototype, "nextEndMs", () => () => undefined) },
  },
  {
    mistake: "[LOCK-6] the table keeps a lock whose time is over",
    within: 10,
    needs: "locks",
    sabotage: { spoil: () => patched(LockTable.prototype, "apply", forgettingExpiry) },
  },
  {
    mistake: "[LOCK-6] a lease ends before its holder thinks it does",
    within: 20,
    needs: "locks",
    sabotage: { spoil: () => patched(Leases.prototype, "begin", hurryingLeases) },
  },
  {
    mistake: "[LOCK-4] a token counts whatever became of its lock",
    within: 10,
    needs: "locks",
    sabotage: { spoil: () => patched(LockDesk.prototype, "checkWrite", trustingTokens) },
  },
  {
    mistake: "[LOCK-4] tokens are counted by the process, and begin anew with it",
    within: 20,
    needs: "locks",
    sabotage: { spoil: () => patched(LockTable.prototype, "apply", countingAnew) },
  },
  {
    mistake: "[LOCK-2] who has the holder's name writes as the holder",
    within: 20,
    needs: "locks",
    sabotage: { spoil: () => patched(LockDesk.prototype, "checkEdit", trustingNames) },
  },
  {
    mistake: "[LOCK-5] who lost a lock and does not know it edits on where it was",
    within: 20,
    needs: "locks",
    sabotage: { spoil: () => patched(LockDesk.prototype, "checkEdit", forgettingLost) },
  },
  {
    mistake: "[LOCK-7] who came last is called first",
    within: 30,
    needs: "locks",
    sabotage: { spoil: () => patched(LockQueue.prototype, "call", callingNewest) },
  },
  {
    mistake: "[VOID-1] a void says what was refused",
    within: 10,
    needs: "locks",
    sabotage: { spoil: () => patched(ContextState.prototype, "admit", leakingVoids) },
  },
  {
    mistake: "[ACL-4] live edits are not held to the list",
    within: 20,
    needs: "access",
    sabotage: { spoil: () => patched(AccessDesk.prototype, "checkWrite", sparingEdits) },
  },
  {
    mistake: "[ACL-4] what a reader edits is let through",
    within: 20,
    needs: "access",
    sabotage: { spoil: () => patched(Access.prototype, "checkWrite", trustingReaders) },
  },
  {
    mistake: "[ACL-4] who may write somewhere writes everywhere",
    within: 20,
    needs: "access",
    sabotage: { spoil: () => patched(Access.prototype, "mayWriteAt", forgettingPlaces) },
  },
  {
    mistake: "[ACL-3] grants at paths are forgotten",
    within: 20,
    needs: "access",
    sabotage: { spoil: () => patched(AccessDesk.prototype, "apply", forgettingWritersAtPlaces) },
  },
  {
    mistake: "[ACL-7] a new list counts when its context is loaded again",
    within: 20,
    needs: "access",
    sabotage: { spoil: () => patched(AccessDesk.prototype, "apply", () => () => undefined) },
  },
  {
    mistake: "[ACL-8] who may not read any more goes on reading",
    within: 20,
    needs: "access",
    sabotage: { spoil: () => patched(AccessWatch.prototype, "changed", () => () => undefined) },
  },
  {
    mistake: "[ACL-9] a revocation ends nothing that is open",
    within: 20,
    needs: "access",
    sabotage: { spoil: () => patched(AccessWatch.prototype, "revoke", () => () => undefined) },
  },
  {
    mistake: "[ACL-9] a token that is revoked goes on counting",
    within: 20,
    needs: "access",
    sabotage: { spoil: () => patched(Revocations.prototype, "isRevoked", () => () => false) },
  },
  {
    mistake: "[PRES-3] nobody looks for presence that is not renewed, and for silent lines",
    within: 10,
    sabotage: { noTicks: true },
  },
];
