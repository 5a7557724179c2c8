/**
 * Blame by watching: the document's events say what each change wrote, and a mirror of the document holds the writer of
 * each member, element and character. Knows nothing of Yjs ids.
 */
import * as Y from "yjs";
import type { SharedType } from "../../shared/yjs-values.ts";

export class BlameModel {
  readonly #doc = new Y.Doc();
  /** Of a map: the writer of each member. */
  readonly #members = new Map<SharedType, Map<string, string>>();
  /** Of a list or text: the writers in order. */
  readonly #elements = new Map<SharedType, string[]>();
  #writer = "base";

  constructor(state: Uint8Array) {
    Y.applyUpdateV2(this.#doc, state);
    const data = this.#doc.getMap("data");
    this.#adopt(data);
    data.observeDeep((events) => {
      for (const event of events) this.#watch(event);
    });
  }

  apply(update: Uint8Array, writer: string): void {
    this.#writer = writer;
    Y.applyUpdate(this.#doc, update);
  }

  /** Lines `/path writer`; elements as `/path[index] writer`, characters as `/path@start writer`. */
  lines(): string[] {
    const lines: string[] = [];
    const visit = (type: unknown, path: string): void => {
      if (type instanceof Y.Map) {
        for (const [key, value] of type.entries()) {
          if (!isHolder(value)) lines.push(`${path}/${key} ${this.#members.get(type)?.get(key)}`);
          visit(value, `${path}/${key}`);
        }
      } else if (type instanceof Y.Array) {
        for (const [index, value] of type.toArray().entries()) {
          if (!isHolder(value)) lines.push(`${path}/${index} ${this.#elements.get(type)?.[index]}`);
          visit(value, `${path}/${index}`);
        }
      } else if (type instanceof Y.Text) {
        for (const [index, writer] of (this.#elements.get(type) ?? []).entries())
          lines.push(`${path}@${index} ${writer}`);
      }
    };
    visit(this.#doc.getMap("data"), "");
    return lines.sort();
  }

  /** All that is in a new type was written with it. */
  #adopt(type: unknown): void {
    if (type instanceof Y.Map) {
      this.#members.set(type, new Map([...type.keys()].map((key) => [key, this.#writer])));
      for (const value of type.values()) this.#adopt(value);
    } else if (type instanceof Y.Array) {
      this.#elements.set(
        type,
        Array.from({ length: type.length }, () => this.#writer),
      );
      for (const value of type.toArray()) this.#adopt(value);
    } else if (type instanceof Y.Text) {
      this.#elements.set(
        type,
        Array.from({ length: type.length }, () => this.#writer),
      );
    }
  }

  #watch({ target, changes }: Y.YEvent<SharedType>): void {
    for (const [key, { action }] of changes.keys) {
      if (action === "delete" || !(target instanceof Y.Map)) continue;
      this.#members.get(target)?.set(key, this.#writer);
      this.#adopt(target.get(key));
    }
    const writers = this.#elements.get(target);
    if (writers === undefined) return;
    let index = 0;
    for (const { retain, insert, delete: gone } of changes.delta) {
      if (retain !== undefined) index += retain;
      if (gone !== undefined) writers.splice(index, gone);
      if (insert === undefined) continue;
      writers.splice(index, 0, ...Array.from(insert, () => this.#writer));
      for (const value of Array.isArray(insert) ? insert : []) this.#adopt(value);
      index += insert.length;
    }
  }
}

/** Something in it is told instead of itself. */
function isHolder(value: unknown): boolean {
  if (value instanceof Y.Map) return value.size > 0;
  return (value instanceof Y.Array || value instanceof Y.Text) && value.length > 0;
}
