/**
 * One context's audience: the sessions that follow it, what was published to them, and who is present.
 *
 * Invariants (TOPIC):
 *  1. Only what is durable is published, in log order; `vector` is the state vector of exactly what was published.
 *  2. What one turn publishes goes out as one batch for each kind of session, encoded once, however many receive it.
 *  3. A change is not sent back to the session that made all the changes of its batch; acks do not depend on echoes.
 *
 * Not here: admission and the log (context-manager.ts), what a session does with a batch (session.ts).
 */
import type { Change } from "../../shared/change.ts";
import type { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { encodeAwareness, encodeUpdate } from "../../shared/protocol/frames.ts";
import type { AwarenessEntry } from "../../shared/protocol/frames.ts";
import { encodeCommit, encodeEvent } from "../../shared/protocol/server-frames.ts";
import { batchOf } from "./connection.ts";
import type { Batch } from "./connection.ts";
import { Presence } from "./presence.ts";
import type { Speaker } from "./presence.ts";

/** A session as its topic and the sync manager see it; session.ts says what each does. */
export interface Member extends Speaker {
  /** Speaks mcm.v1. */
  readonly isExtended: boolean;
  /** Changes of the document. */
  deliver(batch: Batch): void;
  /** Presence and events. */
  tell(batch: Batch): void;
  /** Sends what is this session's alone. */
  flushOwn(): void;
  tick(nowMs: number): void;
  end(error: ServiceError): void;
  /** Ends because the document was recreated. */
  endEpoch(): void;
}

/** A durable change on its way out. */
export interface Publication {
  readonly change: Change;
  /** A void has no version: its clocks are all there is to tell. */
  readonly kind: "change" | "void";
  readonly advances: readonly { readonly client: number; readonly to: number }[];
  /** The session that made it, if it was a session. */
  readonly author: Member | undefined;
}

/** Changes that were handed to sessions which did not make them. */
export interface Flushed {
  readonly changes: number;
  /** When the oldest of them was queued, monotonic. */
  readonly sinceMs: number;
}

/** What a topic begins with: all of it is in the state that its first sessions are sent. */
export interface TopicBeginning {
  readonly seq: number;
  readonly version: number;
  readonly vector: ReadonlyMap<number, number>;
}

export class Topic {
  readonly contextId: ContextId;
  readonly sessions = new Set<Member>();
  readonly presence = new Presence();
  readonly #vector: Map<number, number>;
  #seq: number;
  #version: number;
  #pending: Publication[] = [];
  /** When the oldest write of `#pending` was queued, monotonic. */
  #pendingSinceMs = 0;
  #events: JsonObject[] = [];
  readonly #tellPeers: (entries: readonly AwarenessEntry[]) => void;

  /** @param tellPeers of the presence of sessions here */
  constructor(
    contextId: ContextId,
    { seq, version, vector }: TopicBeginning,
    tellPeers: (entries: readonly AwarenessEntry[]) => void = () => undefined,
  ) {
    this.contextId = contextId;
    this.#tellPeers = tellPeers;
    this.#seq = seq;
    this.#version = version;
    this.#vector = new Map(vector);
  }

  /** Version of the last change that was published. */
  get version(): number {
    return this.#version;
  }

  get vector(): ReadonlyMap<number, number> {
    return this.#vector;
  }

  /** @param sinceMs when the oldest of them was queued, monotonic */
  publish(publications: readonly Publication[], sinceMs = 0): void {
    if (this.#pending.length === 0) this.#pendingSinceMs = sinceMs;
    for (const publication of publications) {
      // a topic may have begun at a state with appends under way: its sessions were told of a version that holds them
      if (publication.change.seq > this.#seq) this.#pending.push(publication);
    }
  }

  /**
   * Sends what was published since the last flush, events, and presence that changed and may go out now. Tells which changes
   * others were given.
   */
  flush(nowMs: number): Flushed | undefined {
    const flushed = this.#flushChanges();
    this.#flushEvents();
    if (this.presence.hasChanges) {
      const changes = this.presence.takeChanges(nowMs);
      if (changes.length === 0) return flushed;
      this.#tellPeers(this.presence.ours(changes));
      const batch = batchOf([encodeAwareness(changes)]);
      for (const session of this.sessions) session.tell(batch);
    }
    return flushed;
  }

  /** To mcm.v1 sessions, after what was published so far. */
  announce(event: JsonObject): void {
    this.#events.push(event);
  }

  #flushEvents(): void {
    if (this.#events.length === 0) return;
    const batch = batchOf(this.#events.map(encodeEvent));
    this.#events = [];
    for (const session of this.sessions) if (session.isExtended) session.tell(batch);
  }

  #flushChanges(): Flushed | undefined {
    const pending = this.#pending;
    if (pending.length === 0) return undefined;
    this.#pending = [];
    const author = soleAuthor(pending);
    const batches = new Batches(pending);
    for (const session of this.sessions) {
      if (session.isExtended) session.deliver(session === author ? batches.receipts() : batches.commit());
      else if (session !== author) session.deliver(batches.updates());
    }
    // after the deliveries: a session that falls behind now is behind from the vector before this batch
    for (const { advances, change } of pending) {
      for (const { client, to } of advances) this.#vector.set(client, to);
      this.#seq = change.seq;
      this.#version = change.version;
    }
    const changes = this.sessions.size > (author === undefined ? 0 : 1) ? countOfChanges(pending) : 0;
    return changes === 0 ? undefined : { changes, sinceMs: this.#pendingSinceMs };
  }
}

/** The forms in which the changes of one flush go out; each is made at most once. */
class Batches {
  readonly #publications: readonly Publication[];
  #updates: Batch | undefined;
  #commit: Batch | undefined;
  #receipts: Batch | undefined;

  constructor(publications: readonly Publication[]) {
    this.#publications = publications;
  }

  /** For stock clients, which read one message from each frame. */
  updates(): Batch {
    this.#updates ??= batchOf(this.#publications.map(({ change }) => encodeUpdate(change.update)));
    return this.#updates;
  }

  /** Changes that follow each other are one commit. A void between them is an update: it has clocks and no record. */
  commit(): Batch {
    this.#commit ??= batchOf(
      runsOf(this.#publications).map((run) =>
        run.kind === "change" ? encodeCommit(run.changes, { withUpdates: true }) : encodeUpdate(run.update),
      ),
    );
    return this.#commit;
  }

  receipts(): Batch {
    const changes = this.#publications.flatMap(({ kind, change }) => (kind === "change" ? [change] : []));
    this.#receipts ??= batchOf(changes.length === 0 ? [] : [encodeCommit(changes, { withUpdates: false })]);
    return this.#receipts;
  }
}

type Run =
  | { readonly kind: "change"; readonly changes: Change[] }
  | { readonly kind: "void"; readonly update: Uint8Array };

function runsOf(publications: readonly Publication[]): readonly Run[] {
  const runs: Run[] = [];
  for (const { kind, change } of publications) {
    const last = runs.at(-1);
    if (kind === "void") runs.push({ kind, update: change.update });
    else if (last?.kind === "change") last.changes.push(change);
    else runs.push({ kind, changes: [change] });
  }
  return runs;
}

function countOfChanges(publications: readonly Publication[]): number {
  let count = 0;
  for (const { kind } of publications) if (kind === "change") count++;
  return count;
}

function soleAuthor(publications: readonly Publication[]): Member | undefined {
  const [first] = publications;
  return publications.every((publication) => publication.author === first?.author) ? first?.author : undefined;
}
