/**
 * A document's values as a tree shows them: live Yjs types and plain JSON alike, read without leaving a trace.
 *
 * Invariant: what it costs to look at a value does not grow with what lies below it.
 *
 * Not here: which of them are shown (document-tree.ts).
 */
import * as Y from "yjs";
import { DATA_ROOT, formatPath, parsePath } from "../../../shared/path.ts";
import {
  EMBED,
  elementsOf,
  isPlainObject,
  isUntyped,
  isXml,
  kindOfRoot,
  membersOf,
} from "../../../shared/yjs-values.ts";
import type { SharedType } from "../../../shared/yjs-values.ts";

export type Kind = "object" | "array" | "text" | "xml" | "string" | "number" | "boolean" | "null" | "other";

export interface Child {
  readonly path: string;
  /** A name, or the index of an element. */
  readonly key: string;
  readonly value: unknown;
}

/** Of texts and strings, so much is shown in a line. */
const HEAD_CHARS = 200;

export function kindOf(value: unknown): Kind {
  if (value === null) return "null";
  if (typeof value !== "object") return SCALARS[typeof value] ?? "other";
  if (value instanceof Y.Map) return "object";
  if (value instanceof Y.Array || Array.isArray(value)) return "array";
  if (value instanceof Y.AbstractType) return kindOfType(value);
  return isPlainObject(value) ? "object" : "other";
}

const SCALARS: Readonly<Partial<Record<string, Kind>>> = { string: "string", number: "number", boolean: "boolean" };

function kindOfType(type: SharedType): Kind {
  if (!isUntyped(type)) return isXml(type) ? "xml" : "text";
  const kind = kindOfRoot(type);
  return ROOTS[kind];
}

const ROOTS = { map: "object", list: "array", text: "text", xml: "xml", empty: "object" } as const;

export function isContainer(kind: Kind): boolean {
  return kind === "object" || kind === "array";
}

/** Members, elements or characters. */
export function sizeOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  if (value instanceof Y.Map) return value.size;
  if (value instanceof Y.AbstractType) return kindOf(value) === "object" ? membersOf(value).length : value._length;
  return Array.isArray(value) ? value.length : Object.keys(value).length;
}

/** What lies directly below. */
export function childrenOf(path: string, value: unknown): Child[] {
  return entriesOf(value).map(([key, child]) => ({ path: below(path, key), key, value: child }));
}

function entriesOf(value: unknown): [string, unknown][] {
  if (typeof value !== "object" || value === null) return [];
  if (value instanceof Y.Map) return [...value.entries()];
  if (value instanceof Y.Array) return indexed(value.toArray());
  if (Array.isArray(value)) return indexed(value);
  if (!(value instanceof Y.AbstractType)) return isPlainObject(value) ? Object.entries(value) : [];
  const kind = kindOf(value);
  if (kind === "array") return indexed(elementsOf(value));
  return kind === "object" ? membersOf(value) : [];
}

function indexed(values: readonly unknown[]): [string, unknown][] {
  return values.map((value, index) => [String(index), value]);
}

export function below(path: string, key: string): string {
  return path + formatPath([DATA_ROOT, key]);
}

/** The members of the data, then the other roots that hold something, such as an editor's. */
export function rootsOf(doc: Y.Doc): Child[] {
  const others = [...doc.share]
    .filter(([name, type]) => name !== DATA_ROOT && (type._start !== null || type._map.size > 0))
    .map(([name, type]): Child => ({ path: formatPath([name]), key: `@${name}`, value: type }));
  return [...childrenOf("", doc.getMap(DATA_ROOT)), ...others];
}

/** Undefined when there is nothing. */
export function valueAt(roots: readonly Child[], path: string): unknown {
  const [first, ...rest] = parsePath(path);
  if (first === undefined) return undefined;
  const steps = first === DATA_ROOT ? rest : [`@${first}`, ...rest];
  let children = roots;
  let value: unknown;
  for (const step of steps) {
    const child = children.find(({ key }) => key === step);
    if (child === undefined) return undefined;
    value = child.value;
    children = childrenOf(child.path, value);
  }
  return value;
}

/** What a line says of a value that has no lines of its own. */
export function headOf(value: unknown): string {
  if (typeof value === "string") return value.slice(0, HEAD_CHARS);
  if (value instanceof Y.AbstractType) return kindOf(value) === "xml" ? markupHead(value) : textHead(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return typeof value === "object" && value !== null ? "" : String(value);
}

function textHead(type: SharedType): string {
  let head = "";
  for (let item = type._start; item !== null && head.length < HEAD_CHARS; item = item.right) {
    if (item.deleted || !item.countable) continue;
    head += item.content instanceof Y.ContentString ? item.content.str.slice(0, HEAD_CHARS) : EMBED.repeat(item.length);
  }
  return head.slice(0, HEAD_CHARS);
}

/** The first nodes say enough. */
function markupHead(type: SharedType): string {
  const nodes = elementsOf(type).slice(0, 3);
  return nodes
    .map((node) => (isXml(node) ? node.toJSON() : ""))
    .join("")
    .slice(0, HEAD_CHARS);
}
