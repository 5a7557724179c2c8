/**
 * The shadow of one typed context's document: writes are tried here before the real document is touched.
 *
 * Invariants (TYPE):
 *  1. What is accepted adds no violation of the schema; violations that were there before do not matter.
 *  2. The shadow says what the real document says, once that got what was accepted. A refused write leaves the real
 *     document alone, and the shadow is thrown away: the next write makes a new one.
 *  3. Only `data` is checked.
 *
 * Costs a second copy of the document in memory, from the first write on, and with every write to `data` a pass of the
 * validator over all of it: some 80 µs for 10 KB and 3.4 ms for 1 MB of JSON (5,000 tasks). Of the data as JSON only what
 * a write touched is read again. Making the copy takes 2 and 100 ms.
 *
 * Not here: what a violation is (context-schema.ts), who may write (admission).
 */
import * as Y from "yjs";
import type { JsonOp } from "../../../shared/change.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json } from "../../../shared/json.ts";
import { parsePath } from "../../../shared/path.ts";
import { findData, readData } from "../../../shared/read-data.ts";
import { applyJsonOps } from "../json/json-changes.ts";
import type { ApplyOptions } from "../json/json-changes.ts";
import { writeAs } from "../json/write-as.ts";
import type { WrittenJson } from "../json/write-as.ts";
import type { ContextSchema } from "./context-schema.ts";
import { CounterWatch } from "./counters.ts";
import { addedViolations, schemaViolation } from "./violations.ts";
import type { FoundViolation } from "./violations.ts";

export interface OpsTrial extends ApplyOptions {
  /** The Yjs client id to write under. */
  readonly clientId: number;
  /** For changes that put an earlier state back: counters may be set. */
  readonly maySetCounters?: boolean;
}

interface Shadow {
  readonly doc: Y.Doc;
  /** What `data` holds. */
  readonly data: Json;
  readonly violations: readonly FoundViolation[];
}

export class Rehearsal {
  readonly #doc: Y.Doc;
  readonly #schema: ContextSchema;
  #shadow: Shadow | undefined;

  constructor(doc: Y.Doc, schema: ContextSchema) {
    this.#doc = doc;
    this.#schema = schema;
  }

  /**
   * Tries an update that was scanned. Accepted, the real document must get it next.
   * @param touched the paths that it touches, which end at arrays
   * @throws {ServiceError} SCHEMA_VIOLATION with `details.violations`
   */
  tryUpdate(update: Uint8Array, touched: readonly string[]): void {
    const paths = touched.filter(isInData);
    if (paths.length === 0) {
      if (this.#shadow !== undefined) Y.applyUpdate(this.#shadow.doc, update);
      return;
    }
    const shadow = this.#opened();
    this.#shadow = undefined;
    const counters = this.#watch(shadow, paths);
    Y.applyUpdate(shadow.doc, update);
    counters?.check();
    this.#shadow = this.#judged(shadow, paths);
  }

  /**
   * Tries a JSON change, texts marked as the schema says. Accepted, the real document must get its update next.
   * @throws {ServiceError} SCHEMA_VIOLATION with `details.violations`; those of applyJsonOps and of `beforeWrite`
   */
  tryOps(ops: readonly JsonOp[], { clientId, maySetCounters = false, ...options }: OpsTrial): WrittenJson {
    const shadow = this.#opened();
    const marked = this.#schema.textsMarked(ops);
    let counters: CounterWatch | undefined;
    const written = writeAs(shadow.doc, clientId, () =>
      applyJsonOps(shadow.doc, marked, this, {
        ...options,
        beforeWrite: (paths) => {
          options.beforeWrite?.(paths);
          if (!maySetCounters) counters = this.#watch(shadow, paths.filter(isInData));
          this.#shadow = undefined;
        },
      }),
    );
    if (written.update === undefined) return written;
    counters?.check(ops);
    this.#shadow = this.#judged(shadow, written.paths.filter(isInData));
    return written;
  }

  /** The real document got an update that was not tried here, without content. */
  applied(update: Uint8Array): void {
    if (this.#shadow !== undefined) Y.applyUpdate(this.#shadow.doc, update);
  }

  #opened(): Shadow {
    if (this.#shadow !== undefined) return this.#shadow;
    const doc = new Y.Doc();
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(this.#doc));
    this.#shadow = this.#read(doc);
    return this.#shadow;
  }

  #read(doc: Y.Doc): Shadow {
    const data = readData(doc, "");
    return { doc, data, violations: this.#schema.violations(data) };
  }

  #watch({ doc }: Shadow, paths: readonly string[]): CounterWatch | undefined {
    const { outline } = this.#schema;
    return outline.crdtKinds.has("counter") ? new CounterWatch(doc, outline, paths) : undefined;
  }

  /** The shadow after something was written at the paths. @throws {ServiceError} SCHEMA_VIOLATION */
  #judged({ doc, data: before, violations }: Shadow, paths: readonly string[]): Shadow {
    const data = isReadAgain(before, doc, paths) ? before : readData(doc, "");
    const now = this.#schema.violations(data);
    const added = addedViolations(violations, now);
    if (added.length > 0) throw schemaViolation(added);
    return { doc, data, violations: now };
  }
}

function isInData(path: string): boolean {
  return !path.startsWith("@");
}

/** Brings what was read before up to date at the paths; false when that takes reading all of it. */
function isReadAgain(data: Json, doc: Y.Doc, paths: readonly string[]): boolean {
  return paths.every((path) => {
    const [, ...steps] = parsePath(path);
    const last = steps.pop();
    const holder = steps.reduce<Json | undefined>((value, step) => memberOf(value, step), data);
    if (last === undefined || !isJsonObject(holder)) return false;
    const value = findData(doc, path);
    if (value === undefined) return Reflect.deleteProperty(holder, last);
    return Reflect.defineProperty(holder, last, { value, writable: true, enumerable: true, configurable: true });
  });
}

function memberOf(value: Json | undefined, step: string): Json | undefined {
  return isJsonObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
}
