/**
 * What stands at a path of a replica, as JSON: the same answer as the server's read (server/state/json-data.ts).
 *
 * Texts read as strings, XML as its markup, bytes as {"$bytes": base64}, big integers as {"$bigint": decimal}.
 */
import { toBase64 } from "lib0/buffer";
import * as Y from "yjs";
import { isJsonObject } from "../shared/json.ts";
import type { Json } from "../shared/json.ts";
import { DATA_ROOT, parsePath } from "../shared/path.ts";

/** Undefined when there is nothing. @throws {ServiceError} INVALID_REQUEST when `path` is none */
export function findData(doc: Y.Doc, path: string): Json | undefined {
  const [root = DATA_ROOT, ...steps] = parsePath(path);
  let value: unknown = root === DATA_ROOT ? doc.getMap(DATA_ROOT) : rootNamed(doc, root);
  for (const step of steps) value = childOf(value, step);
  return value === undefined ? undefined : toJson(value);
}

/** A root that came from the server has no class in Yjs until somebody asks for it by one; its content tells which. */
function rootNamed(doc: Y.Doc, name: string): unknown {
  const type = doc.share.get(name);
  if (type === undefined || hasClass(type)) return type;
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted || !item.countable) continue;
    if (item.content instanceof Y.ContentString || item.content instanceof Y.ContentEmbed) return doc.getText(name);
    const isXml = item.content instanceof Y.ContentType && isXmlType(item.content.type);
    return isXml ? doc.getXmlFragment(name) : doc.getArray(name);
  }
  return type._map.size > 0 ? doc.getMap(name) : undefined;
}

function hasClass(type: object): boolean {
  return type.constructor !== Y.AbstractType;
}

function childOf(parent: unknown, step: string): unknown {
  if (parent instanceof Y.Map) return parent.get(step);
  if (parent instanceof Y.Array || Array.isArray(parent)) {
    const index = /^(0|[1-9]\d{0,14})$/.test(step) ? Number(step) : Infinity;
    if (index >= parent.length) return undefined;
    return parent instanceof Y.Array ? parent.get(index) : parent[index];
  }
  return isEntries(parent) && Object.hasOwn(parent, step) ? parent[step] : undefined;
}

function toJson(value: unknown): Json {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : null;
    case "bigint":
      return { $bigint: value.toString() };
    case "object":
      return value === null ? null : objectToJson(value);
    default:
      return null;
  }
}

function objectToJson(value: object): Json {
  if (value instanceof Y.Map) return fromEntries([...value.entries()]);
  if (value instanceof Y.Array) return value.toArray().map(toJson);
  if (value instanceof Y.XmlFragment || value instanceof Y.XmlText) return value.toJSON();
  if (value instanceof Y.Text) return textOf(value);
  if (value instanceof Uint8Array) return { $bytes: toBase64(value) };
  if (Array.isArray(value)) return value.map(toJson);
  return isEntries(value) ? fromEntries(Object.entries(value)) : null;
}

/** An embedded object takes the place of one character. */
function textOf(text: Y.Text): string {
  let characters = "";
  for (let item = text._start; item !== null; item = item.right) {
    if (item.deleted || !item.countable) continue;
    characters += item.content instanceof Y.ContentString ? item.content.str : "\uFFFC".repeat(item.length);
  }
  return characters;
}

/** Keys become own properties whatever they are called, "__proto__" too. */
function fromEntries(entries: readonly (readonly [string, unknown])[]): Json {
  return Object.fromEntries(entries.map(([key, value]) => [key, toJson(value)]));
}

function isXmlType(value: unknown): value is Y.XmlFragment | Y.XmlText {
  return value instanceof Y.XmlFragment || value instanceof Y.XmlText;
}

function isEntries(value: unknown): value is Readonly<Record<string, unknown>> {
  return isJsonObject(value) && !(value instanceof Y.AbstractType);
}
