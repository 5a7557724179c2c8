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

export const COUNTER = "counter";

/** The first change of each context. A context begins empty, so that the log alone says what is in it. */
export const FIRST_CONTENT: JsonObject = {
  [COUNTER]: 0,
  text: { $text: "The quick brown fox" },
  list: [1, 2, 3],
  tree: { left: {}, right: {} },
};

/** One edit of a live document. `mark` makes its content unlike any other. */
export function edit(doc: Y.Doc, random: Random, mark: string): void {
  const data = doc.getMap("data");
  const [text, list, tree] = [data.get("text"), data.get("list"), data.get("tree")];
  switch (random.below(8)) {
    case 0:
      return typeIn(doc.getText(EDITOR_ROOT), random, mark);
    case 1:
      if (text instanceof Y.Text) typeIn(text, random, mark);
      return;
    case 2:
      if (list instanceof Y.Array) changeList(list, random, mark);
      return;
    case 3:
      return data.delete(`k${random.below(4)}`);
    case 4:
      if (tree instanceof Y.Map) tree.set(random.pick(["left", "right"]), new Y.Map([[mark, new Y.Text(mark)]]));
      return;
    case 5:
      if (tree instanceof Y.Map) changeBranch(tree.get("left"), random, mark);
      return;
    case 6:
      edit(doc, random, `${mark}a`);
      return edit(doc, random, `${mark}b`);
    default:
      return void data.set(`k${random.below(4)}`, mark);
  }
}

function typeIn(text: Y.Text, random: Random, mark: string): void {
  const at = random.below(text.length + 1);
  if (text.length > 60 || random.percent(30)) text.delete(at, Math.min(text.length - at, random.below(30)));
  else text.insert(at, `${mark} `);
}

function changeList(list: Y.Array<unknown>, random: Random, mark: string): void {
  const at = random.below(list.length + 1);
  if (list.length > 10 || random.percent(30)) list.delete(at, Math.min(list.length - at, random.between(0, 3)));
  else list.insert(at, [mark, { mark }]);
}

function changeBranch(branch: unknown, random: Random, mark: string): void {
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
  switch (random.below(7)) {
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
        { op: "test", path: `/${COUNTER}`, value: random.below(20) },
        { op: "add", path: key, value: mark },
      ];
    default:
      return [{ op: "add", path: key, value: { mark, list: [mark] } }];
  }
}
