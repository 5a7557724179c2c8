/**
 * JSON changes: RFC 6902, RFC 7396 as `merge`, and `increment`, `edit_text`, `append_text`, on a Yjs document.
 *
 * Invariants (JSON):
 *  1. All operations or none: they run on a draft, and only when all went well is the document written to,
 *     in one transaction of least changes.
 *  2. An operation sees what those before it did.
 *  3. A refusal says which operation (`details.opIndex`) and where (`details.path`).
 *
 * Not here: who may write where, and whether the result fits the context's limits and schema (admission).
 */
import type * as Y from "yjs";
import type { JsonOp } from "../../../shared/change.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json } from "../../../shared/json.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { DATA_ROOT, covers, formatPath, parsePath } from "../../../shared/path.ts";
import type { Steps } from "../../../shared/path.ts";
import { DraftRoots } from "./draft-roots.ts";
import { checkNumber, checkString, invalid } from "./json-checks.ts";
import { sameContent } from "./draft-equality.ts";
import { ListDraft, ObjectDraft, TextDraft, cloneDraft } from "./json-draft.ts";
import type { Container, DraftValue } from "./json-draft.ts";
import { mergeInto } from "./merge-patch.ts";
import { editedString, leastEdit, occurrenceOf } from "./text-edit.ts";
import type { TextEdit } from "./text-edit.ts";
import { ValueIntake } from "./value-intake.ts";

export interface ChangedJson {
  /**
   * What was written, sorted, none below another, spelled as in shared/path.ts. Empty when nothing changed. A path ends
   * at the array for changes in it, at the text for edits of it.
   */
  readonly paths: readonly string[];
}

export interface ApplyOptions {
  /** Called with the paths when something is about to be written; what it throws stops the change. */
  readonly beforeWrite?: (paths: readonly string[]) => void;
  /**
   * The server worked the operations out from a context's content (diffJson, diffRoots): there may be `plannedOpsMax` of
   * them, their values are not weighed, and `replace "@name"` writes to a root that is empty or not there, too.
   */
  readonly isPlanned?: boolean;
}

/**
 * Applies all operations, or none and throws: then the document is as it was, and no event fired.
 * When nothing changes there is no transaction.
 * @throws {ServiceError} INVALID_CHANGE, PATH_NOT_FOUND, TEST_FAILED, TEXT_NOT_FOUND, TEXT_AMBIGUOUS, INVALID_REQUEST
 * (not a path), TOO_LARGE; with `details.opIndex` and `details.path`
 */
export function applyJsonOps(
  doc: Y.Doc,
  ops: readonly JsonOp[],
  origin: unknown,
  options: ApplyOptions = {},
): ChangedJson {
  const limit = options.isPlanned === true ? LIMITS.plannedOpsMax : LIMITS.opsMax;
  if (ops.length > limit) {
    throw new ServiceError("TOO_LARGE", `A change may have ${limit} operations at most. Split it.`, {
      details: { limit },
    });
  }
  const run = new OpsRun(doc, options.isPlanned === true);
  for (const [opIndex, op] of ops.entries()) {
    try {
      run.apply(op);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      throw new ServiceError(error.code, error.message, { details: { path: op.path, ...error.details, opIndex } });
    }
  }
  const plan = run.roots.plan();
  const paths = plan.paths();
  if (plan.isEmpty) return { paths };
  options.beforeWrite?.(paths);
  doc.transact(() => plan.run(), origin);
  return { paths };
}

/** Where an operation works: `container` is opened for writing, and `step` is the place in it. */
interface Target {
  readonly container: Container;
  readonly step: string;
  readonly steps: Steps;
}

class OpsRun {
  readonly roots: DraftRoots;
  readonly #isPlanned: boolean;
  readonly #intake: ValueIntake;
  #searchedChars = 0;

  constructor(doc: Y.Doc, isPlanned: boolean) {
    this.roots = new DraftRoots(doc);
    this.#isPlanned = isPlanned;
    this.#intake = new ValueIntake(isPlanned ? "planned" : "make");
  }

  apply(op: JsonOp): void {
    switch (op.op) {
      case "test":
        return this.#test(op.path, op.value);
      case "copy":
        return this.#copy(stepsOf(op.from), stepsOf(op.path));
      case "move":
        return this.#move(stepsOf(op.from), stepsOf(op.path));
      default:
        if (this.#isPlanned && op.op === "replace") this.#makeRoot(stepsOf(op.path), op.value);
        return this.#write(op, this.#target(stepsOf(op.path)));
    }
  }

  #write(op: Exclude<JsonOp, { op: "test" | "copy" | "move" }>, target: Target): void {
    const { container, step, steps } = target;
    switch (op.op) {
      case "add":
        return container.insert(step, this.#intake.take(op.value, steps));
      case "replace":
        valueAt(target);
        return container.put(step, this.#intake.take(op.value, steps));
      case "remove":
        return container.remove(step);
      case "merge":
        if (!isJsonObject(op.value)) throw invalid("The value of a merge is an object.");
        return mergeInto(container, steps, op.value, this.#intake);
      case "increment":
        return container.put(step, sum(container.get(step), op.by));
      case "edit_text":
        return this.#editText(target, op.old, op.new);
      case "append_text":
        return this.#appendText(target, op.text);
      default:
        throw invalid("There is no such operation. The API's reference lists them.");
    }
  }

  #makeRoot(steps: Steps, value: Json): void {
    const [root] = steps;
    if (root !== undefined && steps.length === 1) this.roots.makeRoot(root, value);
  }

  #test(path: string, value: Json): void {
    const steps = stepsOf(path);
    // What a text is compared to is the string it reads as; so `{"$text": "…"}` stands for that string here.
    const wanted = new ValueIntake("read").take(value, steps);
    if (sameContent(this.#valueAt(steps), wanted)) return;
    throw new ServiceError("TEST_FAILED", "The value at the path is not the expected one. Read it, and decide again.");
  }

  #copy(from: Steps, to: Steps): void {
    const value = this.#valueAt(from);
    this.#intake.weigh(value, to);
    const copy = cloneDraft(value);
    const { container, step } = this.#target(to);
    container.insert(step, copy);
  }

  /** As RFC 6902 has it: removed first, so an index in `to` counts without the value. */
  #move(from: Steps, to: Steps): void {
    const value = this.#valueAt(from);
    const source = this.#target(from);
    if (covers(from, to)) {
      if (from.length === to.length) return;
      throw invalid("A value cannot be moved into itself. Copy it, or move it elsewhere first.");
    }
    source.container.remove(source.step);
    this.#intake.weigh(value, to);
    const { container, step } = this.#target(to);
    container.insert(step, value);
  }

  #target(steps: Steps): Target {
    const [root = DATA_ROOT] = steps;
    this.roots.checkWritable(root);
    const container = steps.length === 1 ? this.roots : this.#valueAt(steps.slice(0, -1));
    if (!isContainer(container)) throw nothingBelow(steps.slice(0, -1));
    return { container, step: steps.at(-1) ?? root, steps };
  }

  /** What stands there now, in any root, opened for changing. */
  #valueAt(steps: Steps): DraftValue {
    let value: DraftValue | DraftRoots = this.roots;
    for (const [index, step] of steps.entries()) {
      if (!isContainer(value)) throw nothingBelow(steps.slice(0, index));
      const inner: DraftValue | undefined = value.open(step);
      if (inner === undefined) throw notFound(steps.slice(0, index + 1));
      value = inner;
    }
    if (value instanceof DraftRoots) throw new Error("A path has a root.");
    return value;
  }

  #editText(target: Target, old: string, replacement: string): void {
    const value = valueAt(target);
    const text = textIn(value);
    const before = checkString(old);
    const after = checkString(replacement);
    if (before === "") throw invalid("The passage to edit is empty. Name the text to replace, or use append_text.");
    this.#search(text);
    const index = occurrenceOf(before, text);
    if (index === "none") {
      const advice = "Read the text again and copy the passage exactly.";
      throw new ServiceError("TEXT_NOT_FOUND", `The passage does not occur in the text. ${advice}`);
    }
    if (index === "several") {
      const advice = "Take in more of the words around it.";
      throw new ServiceError("TEXT_AMBIGUOUS", `The passage occurs more than once in the text. ${advice}`);
    }
    const least = leastEdit(before, after);
    if (least !== undefined) editAt(target, value, { ...least, index: index + least.index });
  }

  #appendText(target: Target, text: string): void {
    const value = valueAt(target);
    const end = textIn(value);
    if (typeof value === "string") this.#search(value);
    editAt(target, value, { index: end.length, deleteCount: 0, insert: checkString(text) });
  }

  #search(text: string): void {
    this.#searchedChars += text.length;
    if (this.#searchedChars > LIMITS.textSearchCharsMax) {
      throw new ServiceError("TOO_LARGE", "These are too many edits of long texts for one change. Split it.", {
        details: { limitChars: LIMITS.textSearchCharsMax },
      });
    }
  }
}

/** A text takes the edit as it is, so that it merges; a string is replaced whole. */
function editAt({ container, step }: Target, value: DraftValue, edit: TextEdit): void {
  if (value instanceof TextDraft) value.edit(edit);
  else container.put(step, checkString(editedString(textIn(value), edit)));
}

function textIn(value: DraftValue): string {
  if (value instanceof TextDraft) return value.text;
  if (typeof value === "string") return value;
  throw invalid("There is neither a text nor a string at the path.");
}

function sum(present: DraftValue | undefined, by: number): number {
  if (present !== undefined && typeof present !== "number")
    throw invalid("There is no number at the path to increment.");
  return checkNumber((present ?? 0) + checkNumber(by));
}

/** What stands at the target, opened for changing. */
function valueAt({ container, step, steps }: Target): DraftValue {
  const value = container.open(step);
  if (value === undefined) throw notFound(steps);
  return value;
}

/** The whole context's data, when nothing else is named. */
function stepsOf(path: string): Steps {
  return path === "" ? [DATA_ROOT] : parsePath(path);
}

function isContainer(value: unknown): value is Container {
  return value instanceof ObjectDraft || value instanceof ListDraft || value instanceof DraftRoots;
}

function notFound(steps: Steps): ServiceError {
  return pathNotFound(
    steps,
    "The path names nothing in the context. Add what is above it first, or read the data for what is there now.",
  );
}

function nothingBelow(steps: Steps): ServiceError {
  return pathNotFound(
    steps,
    "The path goes on below a value that has no members or elements. Read the data for what is there now.",
  );
}

function pathNotFound(steps: Steps, message: string): ServiceError {
  return new ServiceError("PATH_NOT_FOUND", message, { details: { path: formatPath(steps) } });
}
