/**
 * Subscriptions to parts of a context.
 *
 * Invariants:
 *  1. A transaction that changes the replica gives a subscription at most one event, after it is complete, and only if it
 *     touched something at, above or below the subscribed path. What changes nothing here, such as an echo, gives none.
 *  2. `paths` follow the server's rule: no path below another, and none into a list or a text, whose elements have no
 *     stable names.
 *
 * Not here: reading values (read-data.ts).
 */
import * as Y from "yjs";
import type { ChangeRecord } from "../shared/change.ts";
import type { Json } from "../shared/json.ts";
import { DATA_ROOT, formatPath, overlaps, parsePath } from "../shared/path.ts";
import type { Steps } from "../shared/path.ts";
import { callSafely } from "./emitter.ts";
import type { Unsubscribe } from "./emitter.ts";
import { findData } from "../shared/read-data.ts";
import { COMMIT_RECORDS } from "./replica.ts";

export interface PathEvent {
  /** The subscribed path. */
  readonly path: string;
  /** `local`: made through this replica, not yet durable. `remote`: came from the server, durable. */
  readonly origin: "local" | "remote";
  /** What was touched; may lie above or below `path`. [""] when the whole document was replaced. */
  readonly paths: readonly string[];
  /** The changes that the event is made of: actor, version, message. Empty for local edits and for a first or repeated sync. */
  readonly changes: readonly ChangeRecord[];
  /** What is at `path` when it is asked for; undefined when there is nothing. */
  readonly value: Json | undefined;
}

export type PathListener = (event: PathEvent) => void;

interface Subscription {
  readonly path: string;
  readonly steps: Steps;
  readonly listener: PathListener;
}

/** What subscriptions need to know of the replica. */
export interface EventSource {
  readonly doc: Y.Doc;
  isRemote(origin: unknown): boolean;
}

export class PathEvents {
  readonly #source: EventSource;
  readonly #subscriptions = new Set<Subscription>();

  constructor(source: EventSource) {
    this.#source = source;
    this.#follow(source.doc);
  }

  /** @throws {ServiceError} INVALID_REQUEST when the text is not a path */
  subscribe(path: string, listener: PathListener): Unsubscribe {
    const subscription = { path, steps: parsePath(path), listener };
    this.#subscriptions.add(subscription);
    return () => void this.#subscriptions.delete(subscription);
  }

  /** The document was replaced: everything may be different. */
  reset(doc: Y.Doc): void {
    this.#follow(doc);
    this.#notify([[]], "remote", []);
  }

  #follow(doc: Y.Doc): void {
    doc.on("afterTransaction", (transaction: Y.Transaction) => this.#changed(doc, transaction));
  }

  #changed(doc: Y.Doc, transaction: Y.Transaction): void {
    if (transaction.changed.size === 0 || this.#subscriptions.size === 0) return;
    const records: unknown = transaction.meta.get(COMMIT_RECORDS);
    const origin = this.#source.isRemote(transaction.origin) ? "remote" : "local";
    this.#notify(touchedPaths(doc, transaction), origin, isRecords(records) ? records : []);
  }

  #notify(touched: readonly Steps[], origin: PathEvent["origin"], records: readonly ChangeRecord[]): void {
    const { doc } = this.#source;
    const paths = touched.map(formatPath);
    for (const { path, steps, listener } of [...this.#subscriptions]) {
      if (!touched.some((other) => overlaps(other, steps))) continue;
      const changes = records.filter((record) => record.paths.some((other) => overlaps(parsePath(other), steps)));
      const event: PathEvent = {
        path,
        origin,
        paths,
        changes,
        get value() {
          return findData(doc, path);
        },
      };
      callSafely(() => listener(event));
    }
  }
}

function isRecords(value: unknown): value is readonly ChangeRecord[] {
  return Array.isArray(value);
}

/**
 * What a transaction changed. No path lies below another: Yjs leaves out types that are new, and those that were deleted
 * or replaced, whose changes show in their parent.
 */
function touchedPaths(doc: Y.Doc, transaction: Y.Transaction): Steps[] {
  const touched = new Map<string, Steps>();
  for (const [type, keys] of transaction.changed) {
    const { steps, hasNames } = placeOf(doc, type);
    for (const key of keys) {
      const path = key === null || !hasNames ? steps : [...steps, key];
      touched.set(formatPath(path), path);
    }
  }
  return [...touched.values()];
}

type SharedType = Parameters<Y.Transaction["changed"]["get"]>[0];

/** Where a type is; `hasNames` when its keys are steps of paths. */
function placeOf(doc: Y.Doc, type: SharedType): { readonly steps: Steps; readonly hasNames: boolean } {
  const item = type._item;
  if (item === null) return { steps: [rootName(doc, type)], hasNames: type._start === null };
  if (!(item.parent instanceof Y.AbstractType)) return { steps: [], hasNames: false };
  const parent = placeOf(doc, item.parent);
  if (!parent.hasNames || item.parentSub === null) return { steps: parent.steps, hasNames: false };
  return { steps: [...parent.steps, item.parentSub], hasNames: type instanceof Y.Map };
}

function rootName(doc: Y.Doc, type: SharedType): string {
  for (const [name, root] of doc.share) if (root === type) return name;
  return DATA_ROOT;
}
