/** Where two readings of a document differ. */
import type * as Y from "yjs";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json } from "../../../shared/json.ts";
import { formatPath } from "../../../shared/path.ts";
import { EDITOR_ROOT, canonical } from "../replica-view.ts";

export function readable(doc: Y.Doc): Json {
  return { data: doc.getMap("data").toJSON() as Json, [EDITOR_ROOT]: doc.getText(EDITOR_ROOT).toJSON() };
}

/** Paths of what differs, each as deep as both sides have an object. */
export function changedPlaces(
  before: Json | undefined,
  after: Json | undefined,
  steps: readonly string[] = [],
): string[] {
  if (canonical(before) === canonical(after)) return [];
  if (!isJsonObject(before) || !isJsonObject(after)) return [formatPath(steps)];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => changedPlaces(before[key], after[key], [...steps, key]));
}
