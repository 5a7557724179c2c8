/**
 * A context in memory and who writes to it: shorthands for tests of admission.
 *
 * Not here: logs, sessions.
 */
import * as Y from "yjs";
import type { JsonOp } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import { parseActor } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import type { Grant } from "../../shared/permission.ts";
import type { Identity } from "../../server/state/access/identity.ts";
import type { LockMode } from "../../shared/lock.ts";
import { readData } from "../../shared/read-data.ts";
import type { ContextState, StateOptions } from "../../server/state/context-state.ts";
import type { Admitted, OpsWrite, UpdateWrite, Verdict, Write } from "../../server/state/writes.ts";
import { SessionLeases } from "../../server/sync/session-leases.ts";
import type { StoredContext } from "../../server/storage/change-log.ts";
import { admittedOf, at, stateFrom, storedContext, withTail } from "./stored-state.ts";

export class Admission {
  readonly base: StoredContext;
  readonly state: ContextState;
  /** What the log would hold. */
  readonly entries: Admitted[] = [];
  nowMs = 0;
  #lockCount = 0;

  constructor(data: JsonObject = {}, options: Partial<StateOptions> = {}) {
    this.base = storedContext(data);
    this.state = stateFrom(this.base, options);
  }

  get data(): unknown {
    return readData(this.state.doc, "");
  }

  /** What a restart would load. */
  get stored(): StoredContext {
    return withTail(this.base, this.entries);
  }

  admit(...writes: readonly Write[]): readonly Verdict[] {
    const verdicts = this.state.admit(writes, at(this.nowMs));
    this.entries.push(...admittedOf(verdicts));
    return verdicts;
  }

  /** `admitted`, `unchanged`, or the code of the refusal. */
  outcome(write: Write): string {
    const [verdict] = this.admit(write);
    if (verdict === undefined) throw new Error("a verdict for each write");
    return verdict.kind === "refused" ? verdict.error.code : verdict.kind;
  }

  /** Writes the resolutions that policies ask for, as the turn does. */
  resolve(): readonly string[] {
    return this.state.takeResolutions().map((write) => this.outcome(write));
  }

  /** Takes a lock and returns its token. */
  lock(name: string, paths: readonly string[], more: { mode?: LockMode; ttlMs?: number; leases?: SessionLeases } = {}) {
    const { mode = "exclusive", ttlMs = 1000, leases } = more;
    const lockId = `lock-${++this.#lockCount}`;
    const event = { op: "acquire", lockId, paths, mode, ttlMs } as const;
    const write = { kind: "lock", actor: parseActor(name), origin: "rest", event } as const;
    const outcome = this.outcome(leases === undefined ? write : { ...write, leases });
    if (outcome !== "admitted") throw new ServiceError("LOCKED", outcome);
    return { lockId, token: this.state.seq };
  }

  /** Takes the lock from its holder, whose time is over. */
  expire(lockId: string): string {
    const event = { op: "expire", lockId } as const;
    return this.outcome({ kind: "lock", actor: parseActor("server"), origin: "server", event });
  }

  ops(name: string, ops: readonly JsonOp[], more: Partial<OpsWrite> = {}): string {
    return this.outcome({ kind: "ops", actor: parseActor(name), origin: "rest", ops, ...more });
  }

  /** What the list of who may do what is from now on. */
  acl(...grants: readonly Grant[]): string {
    return this.outcome({ kind: "meta", actor: parseActor("ann"), origin: "rest", change: { acl: { grants } } });
  }

  /** Trusted unless `identity` says what it may. */
  client(name: string, clientId: number, identity?: Identity): Replica {
    return new Replica(this, { name, clientId, ...(identity === undefined ? {} : { identity }) });
  }
}

interface ReplicaOptions {
  readonly name: string;
  readonly clientId: number;
  readonly identity?: Identity;
}

/** A live client: its document, and the session through which it sends. */
export class Replica {
  readonly doc = new Y.Doc();
  readonly leases = new SessionLeases();
  readonly #admission: Admission;
  readonly #options: ReplicaOptions;
  readonly #source = {};

  constructor(admission: Admission, options: ReplicaOptions) {
    this.#admission = admission;
    this.#options = options;
    Y.applyUpdate(this.doc, Y.encodeStateAsUpdate(admission.state.doc));
    // after it: Yjs would take another when it gets content under its own
    this.doc.clientID = options.clientId;
  }

  get data(): Y.Map<unknown> {
    return this.doc.getMap("data");
  }

  lock(paths: readonly string[], ttlMs = 1000): { readonly lockId: string; readonly token: number } {
    return this.#admission.lock(this.#options.name, paths, { ttlMs, leases: this.leases });
  }

  /** One transaction, and the update that it makes. */
  make(change: (data: Y.Map<unknown>) => void): Uint8Array {
    const before = Y.encodeStateVector(this.doc);
    const updates: Uint8Array[] = [];
    const keep = (bytes: Uint8Array): void => void updates.push(bytes);
    this.doc.on("update", keep);
    this.doc.transact(() => change(this.data));
    this.doc.off("update", keep);
    return updates[0] ?? Y.encodeStateAsUpdate(this.doc, before);
  }

  /** The write with which the update reaches admission. */
  write(update: Uint8Array): UpdateWrite {
    const { name, identity } = this.#options;
    return {
      kind: "update",
      actor: parseActor(name),
      ...(identity === undefined ? {} : { identity }),
      update,
      source: this.#source,
      leases: this.leases,
    };
  }

  /** Makes one transaction, sends it, and says what became of it. */
  edit(change: (data: Y.Map<unknown>) => void): string {
    return this.#admission.outcome(this.write(this.make(change)));
  }
}
