/**
 * Counters (`x-crdt: counter`): numbers that are there and may only be changed by `increment`.
 *
 * Invariants (TYPE):
 *  1. Making a counter, and removing the object around it, are free; setting or deleting one where its object stays is not.
 *  2. An object that replaces another keeps the counters of that one, where they can be told by their path. In arrays
 *     they cannot, so a new element is a new one; and a change that increments in an array is not watched in that array.
 *
 * Not here: what `increment` does (server/state/json/json-changes.ts).
 */
import * as Y from "yjs";
import type { JsonOp } from "../../../shared/change.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { DATA_ROOT, covers, formatPath, parsePath } from "../../../shared/path.ts";
import type { Steps } from "../../../shared/path.ts";
import { findData } from "../../../shared/read-data.ts";
import { isPlainObject } from "../../../shared/yjs-values.ts";
import { crdtOfParts } from "./schema-outline.ts";
import type { Parts, SchemaOutline } from "./schema-outline.ts";

/** A counter as it was before a write. */
interface Counter {
  readonly holder: Y.Map<unknown> | undefined;
  readonly key: string;
  readonly value: number;
  /** Of the counter, or of the outermost array that it lies in. */
  readonly steps: Steps;
  readonly inArray: boolean;
}

/** Where the search is. */
interface Place {
  readonly parts: Parts;
  readonly steps: Steps;
  readonly inArray: boolean;
}

export class CounterWatch {
  readonly #doc: Y.Doc;
  readonly #outline: SchemaOutline;
  readonly #counters: Counter[] = [];

  /** Remembers the counters at and below the paths, which end at arrays. */
  constructor(doc: Y.Doc, outline: SchemaOutline, paths: readonly string[]) {
    this.#doc = doc;
    this.#outline = outline;
    for (const path of paths) this.#findAt(parsePath(path));
  }

  /**
   * @param ops what was done, when it was a JSON change
   * @throws {ServiceError} SCHEMA_VIOLATION
   */
  check(ops: readonly JsonOp[] = []): void {
    const increments = ops.flatMap((op) => (op.op === "increment" ? [{ steps: parsePath(op.path), by: op.by }] : []));
    for (const counter of this.#counters) {
      const own = increments.filter(({ steps }) => covers(counter.steps, steps));
      if (counter.inArray && own.length > 0) continue;
      const wanted = own.reduce((sum, { by }) => sum + by, counter.value);
      if (!this.#holds(counter, wanted)) throw refusal(formatPath(counter.steps));
    }
  }

  #holds({ holder, key, steps, inArray }: Counter, wanted: number): boolean {
    if (holder !== undefined && holder._item?.deleted !== true) return holder.get(key) === wanted;
    if (inArray) return true;
    const now = findData(this.#doc, formatPath(steps));
    return typeof now !== "number" || now === wanted;
  }

  #findAt([, ...steps]: Steps): void {
    let value: unknown = this.#doc.getMap(DATA_ROOT);
    let place: Place = { parts: this.#outline.root, steps: [DATA_ROOT], inArray: false };
    for (const step of steps) {
      const member = memberOf(value, step);
      place = this.#below(place, step);
      this.#note(value, step, { ...place, member });
      value = member;
    }
    this.#findBelow(value, place);
  }

  #findBelow(value: unknown, place: Place): void {
    if (place.parts.length === 0) return;
    for (const [step, member] of entriesOf(value)) {
      const at = this.#below(
        value instanceof Y.Array || Array.isArray(value) ? { ...place, inArray: true } : place,
        step,
      );
      this.#note(value, step, { ...at, member });
      this.#findBelow(member, at);
    }
  }

  #below({ parts, steps, inArray }: Place, step: string): Place {
    return { parts: this.#outline.below(parts, step), steps: inArray ? steps : [...steps, step], inArray };
  }

  #note(holder: unknown, key: string, { parts, steps, inArray, member }: Place & { readonly member: unknown }): void {
    if (typeof member !== "number" || crdtOfParts(parts) !== "counter") return;
    this.#counters.push({ holder: holder instanceof Y.Map ? holder : undefined, key, value: member, steps, inArray });
  }
}

function memberOf(value: unknown, step: string): unknown {
  if (value instanceof Y.Map) return value.get(step);
  if (typeof value !== "object" || value === null || !isPlainObject(value)) return undefined;
  return Object.hasOwn(value, step) ? value[step] : undefined;
}

function* entriesOf(value: unknown): Iterable<readonly [step: string, member: unknown]> {
  if (value instanceof Y.Map) yield* value.entries();
  else if (value instanceof Y.Array || Array.isArray(value)) {
    let index = 0;
    for (const element of value) yield [String(index++), element];
  } else if (typeof value === "object" && value !== null && isPlainObject(value)) yield* Object.entries(value);
}

function refusal(path: string): ServiceError {
  return new ServiceError(
    "SCHEMA_VIOLATION",
    `${path} is, or holds, a counter, which only the operation "increment" changes. Send {"op": "increment", "path": …, "by": …} with the difference.`,
    { details: { violations: [{ path, message: 'is a counter, which only "increment" changes' }], count: 1 } },
  );
}
