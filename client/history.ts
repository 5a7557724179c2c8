/**
 * The past of one context: what the server keeps of it, and changes that bring parts of it back.
 *
 * Not here: waiting until the replica includes what was written (context.ts), what the words mean (shared/history.ts).
 */
import type { ChangeRecord } from "../shared/change.ts";
import type { BlameLine, Diff, KeptPath, NamedCheckpoint } from "../shared/history.ts";
import type { JsonOp } from "../shared/change.ts";
import type { ContextView } from "../shared/protocol/rest.ts";
import { blameLineOf, changeOf, checkpointOf, keptPathOf } from "./from-wire.ts";
import type { Dated, DatedKept, DatedLine } from "./from-wire.ts";
import type { LockTokens } from "./locks.ts";
import type { Rest, RestRequest } from "./rest.ts";

/** Data as it was, or is, at a version. */
export interface Snapshot<Value> {
  readonly version: number;
  /** When that version came to be: server time, milliseconds since 1970. */
  readonly atMs: number;
  readonly data: Value;
}

export interface ChangesQuery {
  /** Changes after this version; goes with oldest first. */
  readonly since?: number;
  /** Changes before this version; goes with newest first. */
  readonly before?: number;
  /** Which come first; `oldest` unless given. */
  readonly order?: "oldest" | "newest";
  /** Changes at, above or below it. */
  readonly path?: string;
  readonly actor?: string;
}

export interface HistoryQuery extends ChangesQuery {
  /** Changes of one page: 1 to 500, 50 unless given. */
  readonly limit?: number;
}

export interface HistoryPage {
  readonly changes: readonly ChangeRecord[];
  /** More follow: ask again with `since: next`, or `before: next` with the newest first. */
  readonly next?: number;
}

export interface RevertOptions {
  /** Only what is at or below it; "" unless given, which is everything, other root types included. */
  readonly path?: string;
  /** Say what would be done, and do nothing. */
  readonly dryRun?: boolean;
  /** Why; shown in the history. */
  readonly message?: string;
}

export interface UndoOptions extends RevertOptions {
  /** Changes after this version … */
  readonly from: number;
  /** … up to this one; the present version unless given. */
  readonly to?: number;
}

/** What restoring or undoing did, or would do. */
export interface Reverted {
  /** The version with it; unchanged when there was nothing to do, and for a dry run. */
  readonly version: number;
  readonly changes: readonly JsonOp[];
  /** Places that were left as they are, and why. */
  readonly kept: readonly KeptPath[];
  readonly dryRun: boolean;
}

export interface Blame {
  readonly version: number;
  readonly lines: readonly BlameLine[];
}

export interface CheckpointOptions {
  /** Which version gets the name; the server's present one unless given. */
  readonly version?: number;
  readonly message?: string;
}

export interface Compacted {
  readonly version: number;
  readonly epoch: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** Fewest round trips that the server allows. */
const PAGE_MAX = 500;

export class History {
  readonly #rest: Rest;
  readonly #id: string;
  readonly #locks: LockTokens;

  constructor(rest: Rest, id: string, locks: LockTokens) {
    this.#rest = rest;
    this.#id = id;
    this.#locks = locks;
  }

  async at(version: number, path: string): Promise<Snapshot<unknown>> {
    const found = await this.#call<ContextView>("GET", [], { query: { version, path } });
    return { version: found.version, atMs: Date.parse(found.updatedAt), data: found.data };
  }

  async page(query: HistoryQuery): Promise<HistoryPage> {
    const { changes, ...more } = await this.#call<{ changes: Dated<ChangeRecord>[]; next?: number }>(
      "GET",
      ["changes"],
      { query },
    );
    return { ...more, changes: changes.map(changeOf) };
  }

  async *changes(query: ChangesQuery): AsyncGenerator<ChangeRecord, void, void> {
    let from: Pick<HistoryQuery, "since" | "before"> = {};
    for (;;) {
      const { changes, next } = await this.page({ ...query, ...from, limit: PAGE_MAX });
      yield* changes;
      if (next === undefined) return;
      from = query.order === "newest" ? { before: next } : { since: next };
    }
  }

  diff(from: number, to: number | undefined, path: string): Promise<Diff> {
    return this.#call("GET", ["diff"], { query: { from, to, path } });
  }

  async blame(path: string): Promise<Blame> {
    const { version, lines } = await this.#call<{ version: number; lines: DatedLine[] }>("GET", ["blame"], {
      query: { path },
    });
    return { version, lines: lines.map(blameLineOf) };
  }

  restore(version: number, options: RevertOptions): Promise<Reverted> {
    const body = { ...options, version };
    return this.#revert("restore", body);
  }

  undo(actor: string, options: UndoOptions): Promise<Reverted> {
    const body = { ...options, actor };
    return this.#revert("undo", body);
  }

  async checkpoints(): Promise<NamedCheckpoint[]> {
    const { checkpoints } = await this.#call<{ checkpoints: Dated<NamedCheckpoint>[] }>("GET", ["checkpoints"]);
    return checkpoints.map(checkpointOf);
  }

  async checkpoint(name: string, options: CheckpointOptions): Promise<NamedCheckpoint> {
    return checkpointOf(await this.#call("POST", ["checkpoints"], { body: { ...options, name } }));
  }

  async forgetCheckpoint(name: string): Promise<void> {
    await this.#call("DELETE", ["checkpoints", name]);
  }

  compact(): Promise<Compacted> {
    return this.#call("POST", ["compact"], { body: {} });
  }

  async #revert(what: "restore" | "undo", body: { readonly path?: string }): Promise<Reverted> {
    const lockTokens = this.#locks.tokensFor([body.path ?? ""]);
    const done = await this.#call<Omit<Reverted, "kept"> & { kept: DatedKept[] }>("POST", [what], { body, lockTokens });
    return { ...done, kept: done.kept.map(keptPathOf) };
  }

  #call<Body>(method: string, steps: readonly string[], request?: RestRequest): Promise<Body> {
    return this.#rest.call(method, ["contexts", this.#id, ...steps], request);
  }
}
