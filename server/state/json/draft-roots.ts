/**
 * The top of a draft: the root types of a document, as something that paths step through.
 *
 * Invariants (JSON):
 *  1. `data` is always there and always a Y.Map. Other roots are written only when they hold something, which shows what
 *     type they have; or where `makeRoot` is asked for.
 *  2. A root that was loaded without a type gets the type its content shows; that is local and not in the encoding.
 *
 * Not here: reading without a trace (json-data.ts).
 */
import type * as Y from "yjs";
import type { Json } from "../../../shared/json.ts";
import { TEXT_MARK, XML_MARK, markOf } from "../../../shared/json-marks.ts";
import { DATA_ROOT } from "../../../shared/path.ts";
import { CommitPlan } from "./draft-commit.ts";
import { invalid } from "./json-checks.ts";
import { Foreign, ListDraft, ObjectDraft, TextDraft, draftOf } from "./json-draft.ts";
import type { Container, DraftValue } from "./json-draft.ts";
import { XmlDraft } from "./xml-draft.ts";
import { isUntyped, kindOfRoot } from "../../../shared/yjs-values.ts";

export class DraftRoots implements Container {
  readonly #doc: Y.Doc;
  readonly #opened = new Map<string, DraftValue>();

  constructor(doc: Y.Doc) {
    this.#doc = doc;
  }

  get(name: string): DraftValue | undefined {
    return this.open(name);
  }

  open(name: string): DraftValue | undefined {
    const opened = this.#opened.get(name) ?? this.#load(name);
    if (opened !== undefined) this.#opened.set(name, opened);
    return opened;
  }

  insert(name: string, value: DraftValue): void {
    this.put(name, value);
  }

  /** Replaces a root's content by the least change; the root itself stays. */
  put(name: string, value: DraftValue): void {
    const root = this.open(name);
    if (root instanceof ObjectDraft) {
      if (!(value instanceof ObjectDraft)) throw invalid("This root is an object, and only an object can replace it.");
      root.become(value);
    } else if (root instanceof ListDraft) {
      if (!(value instanceof ListDraft)) throw invalid("This root is an array, and only an array can replace it.");
      root.become(value);
    } else if (root instanceof XmlDraft) {
      if (!(value instanceof XmlDraft && root.become(value.tree)))
        throw invalid('This root holds XML, and only {"$xml": [nodes]} can replace it.');
    } else if (root instanceof TextDraft) {
      const text = value instanceof TextDraft ? value.text : value;
      if (typeof text !== "string") throw invalid("This root is a text, and only a string can replace it.");
      root.rewrite(text);
    }
  }

  remove(): void {
    throw invalid('A root cannot be removed or moved. Replace "" by {} to empty the data, or remove single members.');
  }

  /** @throws {ServiceError} INVALID_CHANGE when nothing in the root can be written by JSON changes */
  checkWritable(name: string): void {
    const root = this.open(name);
    if (root !== undefined && !(root instanceof Foreign)) return;
    throw invalid(
      "JSON changes write to `data`, and to another root only where an editor wrote something. Leave out the '@…', or let the editor write there first.",
    );
  }

  /** Gives a root that is empty, or not there yet, the type that a value needs; nobody else sees that. */
  makeRoot(name: string, value: Json): void {
    const type = this.#doc.share.get(name);
    if (type !== undefined && !(isUntyped(type) && kindOfRoot(type) === "empty")) return;
    this.#opened.set(name, draftOf(this.#typedFor(name, value)));
  }

  #typedFor(name: string, value: Json): unknown {
    if (Array.isArray(value)) return this.#doc.getArray(name);
    const mark = markOf(value);
    if (mark === TEXT_MARK || typeof value === "string") return this.#doc.getText(name);
    return mark === XML_MARK ? this.#doc.getXmlFragment(name) : this.#doc.getMap(name);
  }

  plan(): CommitPlan {
    const plan = new CommitPlan();
    for (const [name, root] of this.#opened) plan.addRoot(name, root);
    return plan;
  }

  #load(name: string): DraftValue | undefined {
    if (name === DATA_ROOT) return draftOf(this.#doc.getMap(name));
    const type = this.#doc.share.get(name);
    if (type === undefined) return undefined;
    if (!isUntyped(type)) return draftOf(type);
    switch (kindOfRoot(type)) {
      case "map":
        return draftOf(this.#doc.getMap(name));
      case "list":
        return draftOf(this.#doc.getArray(name));
      case "text":
        return draftOf(this.#doc.getText(name));
      case "xml":
        return draftOf(this.#doc.getXmlFragment(name));
      default:
        return new Foreign(type);
    }
  }
}
