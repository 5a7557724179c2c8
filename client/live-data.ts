/**
 * The live Yjs types under a context's `data`, for editors and for edits that work offline.
 *
 * Asking for a type that is not there makes it, as an edit. Two clients that do so at the same time make two types, of
 * which one survives with its content: give contexts their top-level types when they are created (`create: {data: …}`).
 *
 * Not here: other roots, such as an editor's own; those are `context.doc.getXmlFragment(name)` and the like.
 */
import * as Y from "yjs";
import { ServiceError } from "../shared/errors.ts";
import { DATA_ROOT } from "../shared/path.ts";

export class LiveData {
  readonly #doc: () => Y.Doc;

  constructor(doc: () => Y.Doc) {
    this.#doc = doc;
  }

  /** The object that is the context's data. */
  get root(): Y.Map<unknown> {
    return this.#doc().getMap(DATA_ROOT);
  }

  /** @throws {ServiceError} INVALID_CHANGE when something else is there */
  getMap(key: string): Y.Map<unknown> {
    const value = this.#at(key, () => new Y.Map());
    return value instanceof Y.Map ? value : wrongType(key, "an object");
  }

  /** @throws {ServiceError} INVALID_CHANGE when something else is there */
  getArray(key: string): Y.Array<unknown> {
    const value = this.#at(key, () => new Y.Array());
    return value instanceof Y.Array ? value : wrongType(key, "an array");
  }

  /** @throws {ServiceError} INVALID_CHANGE when something else is there, a plain string for example */
  getText(key: string): Y.Text {
    const value = this.#at(key, () => new Y.Text());
    return value instanceof Y.Text ? value : wrongType(key, "a collaborative text");
  }

  #at(key: string, make: () => Y.Map<unknown> | Y.Array<unknown> | Y.Text): unknown {
    if (!this.root.has(key)) this.root.set(key, make());
    return this.root.get(key);
  }
}

function wrongType(key: string, wanted: string): never {
  throw new ServiceError(
    "INVALID_CHANGE",
    `What the data has under '${key.slice(0, 40)}' is not ${wanted}. Ask for the type it has, or replace it.`,
  );
}
