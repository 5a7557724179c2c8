/**
 * What a seed makes of locks: whether there are any, how long they last, who breaks the rules; and what is done at a place
 * that somebody locked, as an editor and as a program would do it.
 */
import * as Y from "yjs";
import type { JsonOp } from "../../../shared/change.ts";
import type { LockMode } from "../../../shared/lock.ts";
import { typeIn, changeBranch, changeList } from "../habits.ts";
import type { Counts } from "../habits.ts";
import type { Random } from "../random.ts";
import { EDITOR_ROOT } from "../replica-view.ts";

export interface LockNature {
  /** How often it is locks that somebody turns to, in a hundred operations. */
  readonly share: number;
  readonly ttlsMs: readonly number[];
  readonly waitsMs: readonly number[];
  /** Some are several under one name. */
  readonly hasSiblings: boolean;
  /** How often somebody tries what is not allowed, in a hundred turns to locks. */
  readonly offences: number;
  /** The whole context may be locked. */
  readonly isGreedy: boolean;
}

/** Longest that somebody waits for a lock, and that a lock lasts: both end while a run settles. */
const WAITS_MS = [[0], [0, 300, 2000], [2000, 8000]];
const TTLS_MS = [[1000], [1000, 4000], [6000]];

/** Some runs know no locks: they are what they were before there were any. */
export function drawLockNature(random: Random): LockNature | undefined {
  if (random.percent(40)) return undefined;
  return {
    share: random.pick([15, 30, 50]),
    ttlsMs: random.pick(TTLS_MS) ?? [],
    waitsMs: random.pick(WAITS_MS) ?? [],
    hasSiblings: random.percent(50),
    offences: random.pick([0, 15, 40]),
    isGreedy: random.percent(20),
  };
}

export interface WantedLock {
  readonly paths: readonly string[];
  readonly mode: LockMode;
  readonly ttlMs: number;
  readonly waitMs: number;
}

/** A place where nothing is yet, and which only locks speak of. */
const FILE = "/files/src~1app.ts";

const LOCKED_PLACES = [
  ["/text"],
  ["/list"],
  ["/list/0"],
  ["/tree"],
  ["/tree/left"],
  ["/tree/right"],
  ["/k0"],
  ["/k1"],
  ["/k2", "/k3"],
  ["/k0", "/text"],
  ["/counter"],
  [`@${EDITOR_ROOT}`],
  [FILE],
] as const;

export function drawLock(random: Random, { ttlsMs, waitsMs, isGreedy }: LockNature): WantedLock {
  return {
    paths: isGreedy && random.percent(15) ? [""] : [...(random.pick(LOCKED_PLACES) ?? [])],
    mode: random.percent(75) ? "exclusive" : "shared",
    ttlMs: random.pick(ttlsMs) ?? 1000,
    waitMs: random.pick(waitsMs) ?? 0,
  };
}

/** One edit of a live document at this place, or just beside it. Returns what JSON can say of it (habits.ts). */
export function editAt(doc: Y.Doc, place: string, random: Random, mark: string): readonly JsonOp[] {
  const data = doc.getMap("data");
  const [, root = "", branch] = place.split("/");
  const there = place.startsWith("@") ? doc.getText(EDITOR_ROOT) : data.get(root);
  if (place === FILE) {
    if (there instanceof Y.Map) there.set("src/app.ts", mark);
    else data.set(root, new Y.Map([["src/app.ts", mark]]));
  } else if (there instanceof Y.Text) typeIn(there, random, mark);
  else if (there instanceof Y.Array) changeList(there, random, mark);
  else if (there instanceof Y.Map) changeBranch(branch === undefined ? there : there.get(branch), random, mark);
  else {
    const key = root.startsWith("k") ? root : "k0";
    data.set(key, mark);
    return [{ op: "add", path: `/${key}`, value: mark }];
  }
  return [];
}

/** A change by a program at this place. */
export function operationsAt(
  place: string,
  mark: string,
): { readonly ops: readonly JsonOp[]; readonly counts?: Counts } {
  switch (place) {
    case "/text":
    case `@${EDITOR_ROOT}`:
      return { ops: [{ op: "append_text", path: place, text: mark }] };
    case "/list":
    case "/list/0":
      return { ops: [{ op: "add", path: "/list/-", value: mark }] };
    case "/tree":
    case "/tree/left":
    case "/tree/right":
      return {
        ops: [{ op: "merge", path: "/tree", value: { [place.slice("/tree/".length) || "left"]: { [mark]: 1 } } }],
      };
    case "/counter":
      return { ops: [{ op: "increment", path: place, by: 1 }], counts: { counter: 1 } };
    case FILE:
      return { ops: [{ op: "merge", path: "/files", value: { "src/app.ts": mark } }] };
    default:
      return { ops: [{ op: "add", path: place === "" ? "/k0" : place, value: mark }] };
  }
}
