/**
 * What clients and callers do when it is their turn: edits as an editor and as a program would make them.
 */
import * as Y from "yjs";
import type { JsonOp } from "../../shared/change.ts";
import { parseContextId } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import type { Random } from "./random.ts";
import { EDITOR_ROOT } from "./replica-view.ts";

export const CONTEXTS: readonly ContextId[] = ["plan", "notes"].map(parseContextId);

/** `counter` is added to; `tally` is read, and written one higher for the version that was read. */
export const COUNTERS = ["counter", "tally"] as const;
export type Counts = Readonly<Partial<Record<(typeof COUNTERS)[number], number>>>;

/** The first change of each context. A context begins empty, so that the log alone says what is in it. */
export const FIRST_CONTENT: JsonObject = {
  counter: 0,
  tally: 0,
  text: { $text: "The quick brown fox" },
  list: [1, 2, 3],
  tree: { left: {}, right: {} },
};

/** In some runs contexts keep to it. It asks for nothing that `edit` and `operations` do not give, and settles conflicts. */
export const TYPE = "plan";
export const SCHEMA: JsonObject = {
  type: "object",
  properties: {
    counter: { type: "number", "x-crdt": "counter" },
    tally: { type: "integer" },
    text: { type: "string", "x-crdt": "text" },
    list: { type: "array" },
    tree: { type: "object" },
    k0: { "x-conflict": "first-wins" },
    k1: { "x-conflict": "merge" },
    k2: { "x-conflict": "manual" },
  },
};

/** Places that a restore or an undo may be confined to: no counter is among them. */
export const PLACES = ["/tree", "/text", "/list", "/k0", "/k1"] as const;

const BRANCHES = ["left", "right"] as const;

/**
 * One edit of a live document. `mark` makes its content unlike any other. Returns it as JSON operations, as far as such can
 * say what it did wherever it is done: what can be carried into a new epoch of the document.
 */
export function edit(doc: Y.Doc, random: Random, mark: string): readonly JsonOp[] {
  const data = doc.getMap("data");
  const tree = data.get("tree");
  const key = `k${random.below(4)}`;
  const branch = random.pick(BRANCHES);
  switch (random.below(8)) {
    case 3:
      data.delete(key);
      return [{ op: "remove", path: `/${key}` }];
    case 4:
      if (!(tree instanceof Y.Map)) return [];
      tree.set(branch, new Y.Map([[mark, new Y.Text(mark)]]));
      return [{ op: "add", path: `/tree/${branch}`, value: { [mark]: { $text: mark } } }];
    case 5:
      if (tree instanceof Y.Map) changeBranch(tree.get("left"), random, mark);
      return [];
    case 6:
      return [...edit(doc, random, `${mark}a`), ...edit(doc, random, `${mark}b`)];
    case 7:
      data.set(key, mark);
      return [{ op: "add", path: `/${key}`, value: mark }];
    default:
      editRun(doc, random, mark);
      return [];
  }
}

/** Where something is typed or put depends on what stands there. */
function editRun(doc: Y.Doc, random: Random, mark: string): void {
  const [text, list] = ["text", "list"].map((key) => doc.getMap("data").get(key));
  switch (random.below(3)) {
    case 0:
      return typeIn(doc.getText(EDITOR_ROOT), random, mark);
    case 1:
      if (text instanceof Y.Text) typeIn(text, random, mark);
      return;
    default:
      if (list instanceof Y.Array) changeList(list, random, mark);
  }
}

export function typeIn(text: Y.Text, random: Random, mark: string): void {
  const at = random.below(text.length + 1);
  if (text.length > 60 || random.percent(30)) text.delete(at, Math.min(text.length - at, random.below(30)));
  else text.insert(at, `${mark} `);
}

export function changeList(list: Y.Array<unknown>, random: Random, mark: string): void {
  const at = random.below(list.length + 1);
  if (list.length > 10 || random.percent(30)) list.delete(at, Math.min(list.length - at, random.between(0, 3)));
  else list.insert(at, [mark, { mark }]);
}

export function changeBranch(branch: unknown, random: Random, mark: string): void {
  if (!(branch instanceof Y.Map)) return;
  for (const [key, leaf] of branch.entries()) {
    if (leaf instanceof Y.Text && random.percent(50)) leaf.insert(0, mark);
    else if (random.percent(30)) branch.delete(key);
  }
  branch.set(mark, random.below(100));
}

/** Operations that a program may ask for; some of them do not fit, and are refused. */
export function operations(random: Random, mark: string): JsonOp[] {
  const key = `/k${random.below(4)}`;
  switch (random.below(8)) {
    case 0:
      return [{ op: "append_text", path: "/text", text: mark }];
    case 1:
      return [{ op: "add", path: "/list/-", value: mark }];
    case 2:
      return [{ op: "remove", path: key }];
    case 3:
      return [{ op: "merge", path: "/tree", value: { left: { [mark]: { $text: mark } }, right: null } }];
    case 4:
      return [
        { op: "edit_text", path: "/text", old: "quick", new: random.pick(["quick ", mark]) },
        { op: "add", path: key, value: mark },
      ];
    case 5:
      return [
        { op: "test", path: "/counter", value: random.below(20) },
        { op: "add", path: key, value: mark },
      ];
    case 6:
      // often nothing new
      return [random.percent(50) ? { op: "add", path: key, value: "same" } : { op: "merge", path: "/tree", value: {} }];
    default:
      return [{ op: "add", path: key, value: { mark, list: [mark] } }];
  }
}
