/**
 * What a document says, in forms that can be compared: JSON with sorted keys, and everything down to what was deleted.
 */
import { createHash } from "node:crypto";
import * as Y from "yjs";

/** A root beside `data`, as an editor binding has one. */
export const EDITOR_ROOT = "body";

export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, it: unknown) =>
    typeof it === "object" && it !== null && !Array.isArray(it)
      ? Object.fromEntries(Object.entries(it).sort(([a], [b]) => (a < b ? -1 : 1)))
      : it,
  );
}

/** The JSON of `data`: what `read` answers. */
export function dataOf(doc: Y.Doc): string {
  return canonical(doc.getMap("data").toJSON());
}

/** What is read of all roots that a run writes. */
export function contentOf(doc: Y.Doc): string {
  return `${dataOf(doc)} ${doc.getText(EDITOR_ROOT).toJSON()}`;
}

/** Short enough for a message; equal when content, clocks and deletions are. */
export function viewOf(doc: Y.Doc): string {
  const snapshot = Buffer.from(Y.encodeSnapshot(Y.snapshot(doc))).toString("base64");
  return `${short(contentOf(doc))}/${short(snapshot)}`;
}

export function short(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 8);
}

export function vectorOf(doc: Y.Doc): ReadonlyMap<number, number> {
  return Y.decodeStateVector(Y.encodeStateVector(doc));
}

/** The first client id of which `part` knows more than `whole`. */
export function beyond(part: ReadonlyMap<number, number>, whole: ReadonlyMap<number, number>): string | undefined {
  for (const [client, clock] of part) {
    const known = whole.get(client) ?? 0;
    if (clock > known) return `client ${client} up to ${clock} instead of ${known}`;
  }
  return undefined;
}
