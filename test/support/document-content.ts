/**
 * All that a Yjs document holds, as plain values that can be compared: what every reader could see, in order.
 *
 * Strings that follow each other are one, as are values of a list; ids, clocks and what was deleted are left out.
 */
import * as Y from "yjs";
import type { SharedType } from "../../shared/yjs-values.ts";

export function contentOf(doc: Y.Doc): unknown {
  return [...doc.share].flatMap(([name, type]) => {
    const content = contentOfType(type);
    return content.members.length + content.list.length === 0 ? [] : [[name, content]];
  });
}

/** The same without an order of roots and members: in which they came is nobody's. */
export function unorderedContentOf(doc: Y.Doc): unknown {
  return unordered(contentOf(doc));
}

function unordered(content: unknown): unknown {
  if (!Array.isArray(content)) {
    if (typeof content !== "object" || content === null || content instanceof Uint8Array) return content;
    return Object.fromEntries(Object.entries(content).map(([name, value]) => [name, unordered(value)]));
  }
  const isNamed = content.every((one) => Array.isArray(one) && one.length === 2 && typeof one[0] === "string");
  if (!isNamed) return content.map(unordered);
  return Object.fromEntries(content.map(([name, value]: [string, unknown]) => [name, unordered(value)]));
}

function contentOfType(type: SharedType): { members: unknown[]; list: unknown[] } {
  const members = [...type._map].flatMap(([key, item]) => (item.deleted ? [] : [[key, valueOf(item.content)]]));
  const list: unknown[] = [];
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted) continue;
    const { content } = item;
    const last = list.at(-1);
    if (content instanceof Y.ContentString && isRun(last, "string")) last.parts.push(...content.str.split(""));
    else if (content instanceof Y.ContentString) list.push({ kind: "string", parts: content.str.split("") });
    else if (content instanceof Y.ContentAny && isRun(last, "values")) last.parts.push(...content.arr);
    else if (content instanceof Y.ContentAny) list.push({ kind: "values", parts: [...content.arr] });
    else list.push(valueOf(content));
  }
  return { members, list };
}

interface Run {
  readonly kind: string;
  readonly parts: unknown[];
}

function isRun(value: unknown, kind: string): value is Run {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === kind;
}

function valueOf(content: Y.Item["content"]): unknown {
  if (content instanceof Y.ContentFormat) return { format: content.key, value: content.value };
  if (content instanceof Y.ContentEmbed) return { embed: content.embed };
  if (!(content instanceof Y.ContentType)) return { ref: content.getRef(), values: content.getContent() };
  const { type } = content;
  const name = type instanceof Y.XmlElement ? type.nodeName : type instanceof Y.XmlHook ? type.hookName : undefined;
  return { type: type._copy().constructor.name, name, ...contentOfType(type) };
}
