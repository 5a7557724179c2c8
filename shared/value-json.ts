/**
 * What a Yjs document holds, as JSON: as people read it ("plain"), or with marks (json-marks.ts) from which the same
 * Yjs types can be made again ("marked").
 *
 * Invariants (JSON):
 *  1. Reading changes nothing, not even the type of a root that nobody has named yet: its kind is told by its content.
 *  2. What is read is JSON and its own: a stored key is an own key, whatever it is called.
 *  3. Recursion ends at `depthMax` however deep the document is.
 *
 * Not here: which value is read (read-data.ts), writing (server/state/json).
 */
import { toBase64 } from "lib0/buffer";
import * as Y from "yjs";
import type { Json, JsonObject } from "./json.ts";
import { BIGINT_MARK, BYTES_MARK, TEXT_MARK, XML_MARK } from "./json-marks.ts";
import { LIMITS } from "./limits.ts";
import { EMBED, elementsOf, isPlainObject, isUntyped, isXml, kindOfRoot, textOf } from "./yjs-values.ts";
import type { SharedType } from "./yjs-values.ts";

export type Form = "plain" | "marked";

/** `depth` counts the levels that are unfolded; below it stands `{"$object": how many}` or `{"$array": how many}`. */
export function toJson(value: unknown, depth: number, form: Form): Json {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : null;
    case "bigint":
      return { [BIGINT_MARK]: value.toString() };
    case "object":
      return value === null ? null : objectToJson(value, depth, form);
    default:
      return null;
  }
}

function objectToJson(value: object, depth: number, form: Form): Json {
  if (value instanceof Y.Map) return membersToJson(value, depth, form);
  if (value instanceof Y.Array) return elementsToJson(value.toArray(), depth, form);
  if (value instanceof Y.AbstractType) return markupOrText(value, form);
  if (value instanceof Uint8Array) return { [BYTES_MARK]: toBase64(value) };
  if (Array.isArray(value)) return elementsToJson(value, depth, form);
  return isPlainObject(value) ? membersToJson(new Map(Object.entries(value)), depth, form) : null;
}

function markupOrText(type: SharedType, form: Form): Json {
  const isMarkup = isUntyped(type) ? kindOfRoot(type) === "xml" : isXml(type);
  if (form === "marked") return isMarkup ? { [XML_MARK]: xmlTreeOf(type) } : { [TEXT_MARK]: textOf(type) };
  if (!isMarkup) return textOf(type);
  if (isXml(type)) return type.toJSON();
  return elementsOf(type)
    .map((node) => (isXml(node) ? node.toJSON() : ""))
    .join("");
}

function membersToJson(members: Y.Map<unknown> | ReadonlyMap<string, unknown>, depth: number, form: Form): Json {
  if (depth <= 0 && members.size > 0) return { $object: members.size };
  const object: Record<string, Json> = {};
  members.forEach((value: unknown, key: string) => setOwn(object, key, toJson(value, depth - 1, form)));
  return object;
}

function elementsToJson(values: readonly unknown[], depth: number, form: Form): Json {
  if (depth <= 0 && values.length > 0) return { $array: values.length };
  return values.map((value) => toJson(value, depth - 1, form));
}

/** Sets an own member, also one that is called "__proto__". */
export function setOwn(object: Record<string, Json>, key: string, value: Json): void {
  if (key === "__proto__") Object.defineProperty(object, key, { value, enumerable: true });
  else object[key] = value;
}

/**
 * XML as a tree that it can be made from again: a node `{"element": name, "attributes"?: {…}, "children"?: [node…]}`, a text `{"text": delta}`, or null for what JSON cannot
 * hold (a hook, a text with Yjs types in it); for a fragment, or a root that holds XML, the list of its nodes. The delta is Yjs's: `[{"insert": string or object, "attributes"?: {…}}]`.
 */
export function xmlTreeOf(type: SharedType): Json {
  if (type instanceof Y.XmlElement || type instanceof Y.XmlText) return xmlNodeOf(type, LIMITS.depthMax);
  return elementsOf(type).map((node) => xmlNodeOf(node, LIMITS.depthMax));
}

function xmlNodeOf(node: unknown, depth: number): Json {
  if (depth <= 0) return null;
  if (node instanceof Y.XmlText) return holdsTypes(node) ? null : { text: deltaOf(node) };
  if (!(node instanceof Y.XmlElement)) return null;
  const attributes = attributesOf(node.getAttributes());
  const children = elementsOf(node).map((child) => xmlNodeOf(child, depth - 1));
  return {
    element: node.nodeName,
    ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
    ...(children.length === 0 ? {} : { children }),
  };
}

function holdsTypes(text: Y.XmlText): boolean {
  return elementsOf(text).some((part) => part instanceof Y.AbstractType);
}

/** A text with its formats, as Yjs tells it; a Yjs type embedded in it is U+FFFC. */
export function deltaOf(text: Y.Text): Json[] {
  const delta: { readonly insert: unknown; readonly attributes?: object }[] = text.toDelta();
  return delta.map(({ insert, attributes }) => ({
    insert: insert instanceof Y.AbstractType ? EMBED : toJson(insert, LIMITS.depthMax, "marked"),
    ...(attributes === undefined ? {} : { attributes: attributesOf(attributes) }),
  }));
}

function attributesOf(attributes: object): JsonObject {
  const object: Record<string, Json> = {};
  for (const [key, value] of Object.entries(attributes)) setOwn(object, key, toJson(value, LIMITS.depthMax, "marked"));
  return object;
}
