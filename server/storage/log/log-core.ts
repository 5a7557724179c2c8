/**
 * Port: what the parts of the log work with: its store, its one group commit, and the contexts that are being decided about.
 *
 * Invariants:
 *  1. Decisions about a context are taken one after the other in the order of the calls, and what they decide is written
 *     in their order.
 *  2. A read begins when everything accepted for its context before is durable (LOG-6).
 *  3. The slot that a decision gets is the context's state after all that was decided before, whoever did.
 *
 * Not here: what is decided and read (key-value-change-log.ts, log-checkpoints.ts, side-records.ts).
 */
import type { ContextId } from "../../../shared/ids.ts";
import type { ContextTurn, Hint } from "../change-log.ts";
import type { StoreOp, StoreRange, StoreView } from "../store/store.ts";
import type { LogWork } from "./commit-encoder.ts";
import type { Slot } from "./context-slots.ts";
import type { CommitSize } from "./group-commit.ts";
import type { FoundContext } from "./log-reader.ts";

export interface LogCore {
  readonly nodeClientId: number;
  readonly hasFailed: boolean;
  readonly isShared: boolean;
  readonly nodeSlot: number;
  open(): Promise<void>;
  close(): Promise<void>;
  /** A number that no context has; only while something is decided. */
  takeNumber(): number;
  /** `decide` submits all that it decides before it first waits. `size` is about what that will be. */
  decide<T>(contextId: ContextId, decide: (slot: Slot) => Promise<T>, size?: CommitSize): Promise<T>;
  /** As in the port; decisions that `take` asks for are taken at once. */
  turn(contextId: ContextId, turn: ContextTurn): Promise<void>;
  /** To ask before anything is decided that `submit` would make true. @throws {ServiceError} STORE_UNAVAILABLE */
  requireRoomFor(bytes: number): void;
  /** What was decided about the slot's context. Resolves when it is durable. */
  submit(slot: Slot, work: LogWork, size: CommitSize): Promise<void>;
  /** What belongs to no context. */
  write(ops: readonly StoreOp[], size: CommitSize): Promise<void>;
  /** Reads a context; `none` when there is none. `foresee` tells what of its number will most likely be read. */
  read<T>(
    contextId: ContextId,
    none: T,
    use: (view: StoreView, found: FoundContext) => T | Promise<T>,
    foresee?: (number: number) => StoreRange,
  ): Promise<T>;
  onHint(listener: (hint: Hint) => void): void;
  view<T>(use: (view: StoreView) => Promise<T>): Promise<T>;
}
