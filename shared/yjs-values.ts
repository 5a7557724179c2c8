/**
 * What stands in a Yjs document: the kinds of values and roots, read without leaving a trace.
 *
 * Yjs makes a root that comes in an update an untyped `AbstractType` until somebody asks for it as a map, array or text.
 * Asking changes the object, so readers must not ask; a server does not know what its clients' editors ask for.
 * So a root's kind is told by its content.
 *
 * Not here: JSON (read-data.ts), writing (server/state/json/draft-commit.ts).
 */
import * as Y from "yjs";

/** Any Y type, of a class or not yet of one. */
export type SharedType = Y.ContentType["type"];

export type RootKind = "map" | "list" | "text" | "xml" | "empty";

export function isUntyped(type: object): boolean {
  return type.constructor === Y.AbstractType;
}

export function kindOfRoot(type: SharedType): RootKind {
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted || !item.countable) continue;
    if (item.content instanceof Y.ContentString || item.content instanceof Y.ContentEmbed) return "text";
    return item.content instanceof Y.ContentType && isXml(item.content.type) ? "xml" : "list";
  }
  for (const item of type._map.values()) if (!item.deleted) return "map";
  return "empty";
}

export function isXml(value: unknown): value is Y.XmlFragment | Y.XmlText {
  return value instanceof Y.XmlFragment || value instanceof Y.XmlText;
}

/** An object that a live client stored whole: it has no Yjs type inside, and is replaced whole. */
export function isPlainObject(value: object): value is Readonly<Record<string, unknown>> {
  return Object.getPrototypeOf(value) === Object.prototype;
}

export function membersOf(type: SharedType): [key: string, value: unknown][] {
  return [...type._map].flatMap(([key, item]) =>
    item.deleted ? [] : [[key, item.content.getContent()[item.length - 1]]],
  );
}

export function elementsOf(type: SharedType): unknown[] {
  const elements: unknown[] = [];
  for (let item = type._start; item !== null; item = item.right) {
    if (!item.deleted && item.countable) for (const element of item.content.getContent()) elements.push(element);
  }
  return elements;
}

/** Stands for an object embedded in a text: the object replacement character. */
export const EMBED = "\uFFFC";

/** The string of a text, also of a root that no one has given a type yet. Reads only. */
export function textOf(type: SharedType): string {
  let text = "";
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted || !item.countable) continue;
    text += item.content instanceof Y.ContentString ? item.content.str : EMBED.repeat(item.length);
  }
  return text;
}
