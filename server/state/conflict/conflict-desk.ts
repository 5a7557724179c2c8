/**
 * What one context does about its conflicts: names both sides, asks the policy of the place, and keeps in mind which
 * resolutions are to be written and which conflicts are settled.
 *
 * Invariants (CONFLICT):
 *  1. A conflict is resolved once: the second who tries is refused, also before the first one's record is durable.
 *  2. A policy's write holds only while nobody wrote there after the conflict; else the conflict stays open.
 *
 * Not here: finding conflicts (conflict-detector.ts), what a policy writes (conflict-resolver.ts), records (write-path.ts).
 */
import type * as Y from "yjs";
import type { Conflict, ConflictSide } from "../../../shared/conflict.ts";
import { ServiceError } from "../../../shared/errors.ts";
import type { Actor } from "../../../shared/ids.ts";
import { findMarked } from "../../../shared/read-data.ts";
import type { ClientIds } from "../client-ids.ts";
import type { ClockIndex } from "../clock-index.ts";
import type { ContextSchema } from "../schema/context-schema.ts";
import type { TouchIndex } from "../touch-index.ts";
import type { OpsWrite } from "../writes.ts";
import type { Detected, DetectedSide } from "./conflict-detector.ts";
import { resolutionOf } from "./conflict-resolver.ts";

/** Resolved conflicts remembered beyond their record: those whose record may not be durable yet are a few at most. */
const RESOLVED_MAX = 1000;

/** The change that made conflicts known. */
interface Incoming {
  readonly actor: Actor;
  readonly seq: number;
  readonly version: number;
  readonly atMs: number;
}

interface ConflictDeskOptions {
  readonly clocks: ClockIndex;
  readonly touches: TouchIndex;
  readonly clientIds: ClientIds;
}

export class ConflictDesk {
  readonly #options: ConflictDeskOptions;
  #schema: ContextSchema | undefined;
  #resolutions: OpsWrite[] = [];
  readonly #resolved = new Set<string>();

  constructor(options: ConflictDeskOptions) {
    this.#options = options;
  }

  useSchema(schema: ContextSchema | undefined): void {
    this.#schema = schema;
  }

  /** Before the change is recorded in the indexes: they still say who wrote the other side. */
  judge(found: readonly Detected[], doc: Y.Doc, incoming: Incoming): readonly Conflict[] {
    return found.map((detected, index) => this.#judge(detected, doc, { ...incoming, index }));
  }

  takeResolutions(): readonly OpsWrite[] {
    const resolutions = this.#resolutions;
    this.#resolutions = [];
    return resolutions;
  }

  /** @throws {ServiceError} CONFLICT_RESOLVED */
  checkOpen({ id, status }: Conflict): void {
    if (status !== "resolved" && !this.#resolved.has(id)) return;
    throw new ServiceError("CONFLICT_RESOLVED", "The conflict was resolved already. Read it to see by which change.");
  }

  resolved({ id }: Pick<Conflict, "id">): void {
    this.#resolved.add(id);
    for (const oldest of this.#resolved) {
      if (this.#resolved.size <= RESOLVED_MAX) return;
      this.#resolved.delete(oldest);
    }
  }

  #judge(detected: Detected, doc: Y.Doc, incoming: Incoming & { readonly index: number }): Conflict {
    const { path, isNested, kind, winner, loser } = detected;
    const { actor, seq, version, atMs, index } = incoming;
    const policy = this.#schema?.conflictPolicyAt(path) ?? "record";
    const { status, ops } = resolutionOf(policy, detected, (at) => findMarked(doc, at));
    const conflict: Conflict = {
      id: `${seq}.${index}`,
      path,
      ...(isNested === true ? { isNested } : {}),
      kind,
      policy,
      winner: this.#sideOf(winner, path, incoming),
      loser: this.#sideOf(loser, path, incoming),
      status: ops.length > 0 ? "open" : status,
      atMs,
      version,
    };
    if (ops.length > 0) {
      this.#resolutions.push({
        kind: "ops",
        actor,
        origin: "resolver",
        ops,
        ifVersion: { version, scope: "paths" },
        message: `${policy} on conflict ${conflict.id}`,
        resolves: conflict,
      });
    }
    return conflict;
  }

  #sideOf({ id, value, isIncoming }: DetectedSide, path: string, { actor, version }: Incoming): ConflictSide {
    const written = value === undefined ? {} : { value };
    if (isIncoming) return { actor, version, ...written };
    const { clocks, touches, clientIds } = this.#options;
    const range = id === null ? undefined : clocks.rangeOf(id.client, id.clock);
    if (range !== undefined) return { actor: range.actor, version: range.version, ...written };
    const last = touches.newestAt(path);
    const owner = id === null ? undefined : clientIds.ownerOf(id.client);
    if (last !== undefined && (owner === undefined || owner === last.actor))
      return { actor: last.actor, version: last.version, ...written };
    return { ...(owner === undefined ? {} : { actor: owner }), ...written };
  }
}
