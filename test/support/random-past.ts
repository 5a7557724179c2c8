/** Random pasts: a few agents with a few keys, so that they meet; live and JSON edits, seen and unseen, with nesting. */
import * as Y from "yjs";
import { intBelow, pick } from "./editing-history.ts";
import type { Random } from "./editing-history.ts";
import { Past } from "./past.ts";
import type { Edit } from "./past.ts";

export const AGENTS = ["ann", "bob", "cid"] as const;
const KEYS = ["a", "b", "c"] as const;

export interface Mix {
  readonly steps: number;
  /** Who writes at a step; any agent unless given. */
  readonly writer?: (step: number) => string;
  readonly epochs?: boolean;
  /** Agents always see everything before they write. */
  readonly together?: boolean;
}

export function randomPast(random: Random, { steps, writer, epochs = false, together = false }: Mix): Past {
  const past = new Past({ a: { $text: "base text" }, b: [1, "two", { c: 3 }], c: { a: { $text: "" }, b: {} } });
  for (let step = 0; step < steps; step++) extend(past, random, { writer: writer?.(step), epochs, together });
  return past;
}

export function extend(
  past: Past,
  random: Random,
  how: { readonly writer?: string | undefined; readonly epochs?: boolean; readonly together?: boolean },
): void {
  const name = how.writer ?? pick(random, AGENTS);
  const chance = random();
  if (how.epochs === true && chance < 0.04) past.recreate();
  else if (chance < 0.1) past.void(name);
  else if (chance < 0.25) past.ops(name, [{ op: "add", path: `/${pick(random, KEYS)}`, value: valueJson(random) }]);
  else if (how.together === true || chance < 0.7) past.edit(name, edit(random));
  else past.editApart(name, edit(random));
}

function edit(random: Random): Edit {
  const places = Array.from({ length: 1 + intBelow(random, 2) }, () => random);
  return (data) => {
    for (const source of places) editSomewhere(source, data);
  };
}

function editSomewhere(random: Random, data: Y.Map<unknown>): void {
  let target: unknown = data;
  for (let depth = 0; depth < 3 && random() < 0.75; depth++) {
    const inner: unknown =
      target instanceof Y.Map
        ? target.get(pick(random, KEYS))
        : target instanceof Y.Array
          ? target.get(intBelow(random, Math.max(1, target.length)))
          : undefined;
    if (!(inner instanceof Y.AbstractType)) break;
    target = inner;
  }
  if (target instanceof Y.Map) editMap(random, target);
  else if (target instanceof Y.Array) editSequence(random, target, [value(random)]);
  else if (target instanceof Y.Text) editSequence(random, target, pick(random, ["x", "yes", "--", "a b"]));
}

function editMap(random: Random, map: Y.Map<unknown>): void {
  const key = pick(random, KEYS);
  if (random() < 0.25 && map.has(key)) map.delete(key);
  else map.set(key, value(random));
}

function editSequence(random: Random, target: Y.Array<unknown> | Y.Text, content: unknown[] | string): void {
  if (random() < 0.35 && target.length > 0) {
    const index = intBelow(random, target.length);
    target.delete(index, Math.min(target.length - index, 1 + intBelow(random, 4)));
  } else {
    const index = intBelow(random, target.length + 1);
    if (target instanceof Y.Text && typeof content === "string") target.insert(index, content);
    else if (target instanceof Y.Array && Array.isArray(content)) target.insert(index, content);
  }
}

function value(random: Random): unknown {
  switch (intBelow(random, 5)) {
    case 0:
      return new Y.Map([[pick(random, KEYS), intBelow(random, 9)]]);
    case 1:
      return Y.Array.from([intBelow(random, 9), "s"]);
    case 2:
      return new Y.Text("text");
    default:
      return intBelow(random, 1000);
  }
}

function valueJson(random: Random): number | { readonly $text: string } {
  return random() < 0.5 ? intBelow(random, 1000) : { $text: "from ops" };
}
