/**
 * Are two Yjs documents the same: the same ids seen, the same deleted, the same content in the same order?
 *
 * How content is cut into structs does not count, nor in which order roots and members came: both differ with the way a
 * document was put together.
 *
 * Invariants:
 *  1. Reads only, not even giving a root a type.
 */
import * as Y from "yjs";
import type { SharedType } from "../../shared/yjs-values.ts";

export function sameDocument(a: Y.Doc, b: Y.Doc): boolean {
  return sameVectors(a, b) && sameDeletes(a, b) && sameRoots(a, b);
}

function sameVectors(a: Y.Doc, b: Y.Doc): boolean {
  if (a.store.clients.size !== b.store.clients.size) return false;
  return [...a.store.clients.keys()].every((client) => Y.getState(a.store, client) === Y.getState(b.store, client));
}

function sameDeletes(a: Y.Doc, b: Y.Doc): boolean {
  const [ours, theirs] = [deletesOf(a), deletesOf(b)];
  if (ours.size !== theirs.size) return false;
  return [...ours].every(([client, ranges]) => sameValue(ranges, theirs.get(client)));
}

/** First and next clocks of each client's deleted runs, joined as far as they go. */
function deletesOf({ store }: Y.Doc): Map<number, number[]> {
  const deletes = new Map<number, number[]>();
  for (const [client, structs] of store.clients) {
    const runs: number[] = [];
    for (const { id, length, deleted } of structs) {
      if (!deleted) continue;
      if (runs.at(-1) === id.clock) runs.pop();
      else runs.push(id.clock);
      runs.push(id.clock + length);
    }
    if (runs.length > 0) deletes.set(client, runs);
  }
  return deletes;
}

function sameRoots(a: Y.Doc, b: Y.Doc): boolean {
  return [...new Set([...a.share.keys(), ...b.share.keys()])].every((name) =>
    sameTypes(a.share.get(name), b.share.get(name)),
  );
}

/** A root that is not there holds nothing. */
function sameTypes(a: SharedType | undefined, b: SharedType | undefined): boolean {
  const [ours, theirs] = [membersOf(a), membersOf(b)];
  if (ours.size !== theirs.size) return false;
  for (const [key, content] of ours) {
    const other = theirs.get(key);
    if (other === undefined || !sameContent(content, other)) return false;
  }
  const [left, right] = [partsOf(a), partsOf(b)];
  return left.length === right.length && left.every((part, index) => samePart(part, right[index]));
}

type Content = Y.Item["content"];

function membersOf(type: SharedType | undefined): Map<string, Content> {
  const members = new Map<string, Content>();
  for (const [key, item] of type?._map ?? []) if (!item.deleted) members.set(key, item.content);
  return members;
}

/** A list's content in order: runs of text and of values in one piece each, the rest as it is. */
type Part = string | unknown[] | Content;

function partsOf(type: SharedType | undefined): Part[] {
  const parts: Part[] = [];
  let text: string[] = [];
  let values: unknown[] = [];
  const close = (): void => {
    if (text.length > 0) parts.push(text.join(""));
    if (values.length > 0) parts.push(values);
    text = [];
    values = [];
  };
  for (let item = type?._start ?? null; item !== null; item = item.right) {
    const { content, deleted } = item;
    if (deleted) continue;
    if (content instanceof Y.ContentString ? values.length > 0 : text.length > 0) close();
    if (content instanceof Y.ContentString) text.push(content.str);
    else if (content instanceof Y.ContentAny) for (const value of content.arr) values.push(value);
    else {
      close();
      parts.push(content);
    }
  }
  close();
  return parts;
}

function samePart(a: Part, b: Part | undefined): boolean {
  const isPlain = typeof a === "string" || Array.isArray(a);
  if (isPlain || b === undefined || typeof b === "string" || Array.isArray(b)) return sameValue(a, b);
  return sameContent(a, b);
}

function sameContent(a: Content, b: Content): boolean {
  if (a.getRef() !== b.getRef()) return false;
  if (a instanceof Y.ContentType && b instanceof Y.ContentType)
    return nameOf(a.type) === nameOf(b.type) && sameTypes(a.type, b.type);
  if (a instanceof Y.ContentFormat && b instanceof Y.ContentFormat)
    return a.key === b.key && sameValue(a.value, b.value);
  return sameValue(a.getContent(), b.getContent());
}

/** Its kind, and the name that an XML element or hook has. */
function nameOf(type: SharedType): string {
  const name = type instanceof Y.XmlElement ? type.nodeName : type instanceof Y.XmlHook ? type.hookName : "";
  return `${type._copy().constructor.name} ${name}`;
}

function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Uint8Array || b instanceof Uint8Array) return sameBytes(a, b);
  const keys = Object.keys(a);
  if (Array.isArray(a) !== Array.isArray(b) || keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && sameValue(memberOf(a, key), memberOf(b, key)));
}

function sameBytes(a: unknown, b: unknown): boolean {
  if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array) || a.length !== b.length) return false;
  return a.every((byte, index) => byte === b[index]);
}

function memberOf(object: object, key: string): unknown {
  return Reflect.get(object, key);
}
