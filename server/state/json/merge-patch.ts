/**
 * JSON Merge Patch (RFC 7396) on a draft.
 *
 * Invariants (JSON):
 *  1. An object in the patch merges into an object that is there, member by member; what the patch does not name stays
 *     the same Yjs type. null removes; anything else, arrays too, is written whole.
 *  2. A mark such as `{"$text": "…"}` is a value, not an object to merge.
 *
 * Not here: other operations (json-changes.ts).
 */
import type { JsonOp } from "../../../shared/change.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import { isMark } from "../../../shared/json-marks.ts";
import type { Steps } from "../../../shared/path.ts";
import { ObjectDraft } from "./json-draft.ts";
import type { Container } from "./json-draft.ts";
import type { ValueIntake } from "./value-intake.ts";

/** The operations that a body of `application/merge-patch+json` stands for. */
export function mergePatchToOps(patch: JsonObject): readonly JsonOp[] {
  return [{ op: "merge", path: "", value: patch }];
}

/**
 * Merges `patch` into what `container` holds at the last of `steps`.
 * @throws {ServiceError} INVALID_CHANGE, TOO_LARGE, PATH_NOT_FOUND when an array has no such element
 */
export function mergeInto(container: Container, steps: Steps, patch: Json, intake: ValueIntake): void {
  const step = steps.at(-1) ?? "";
  if (!isJsonObject(patch) || Object.keys(patch).some(isMark)) return container.put(step, intake.take(patch, steps));
  const target = objectAt(container, steps, intake);
  for (const [key, value] of Object.entries(patch)) {
    if (value !== null) mergeInto(target, [...steps, key], value, intake);
    else if (target.get(key) !== undefined) target.remove(key);
  }
}

/** The object at the last step, which takes the place of any other value there. */
function objectAt(container: Container, steps: Steps, intake: ValueIntake): ObjectDraft {
  const step = steps.at(-1) ?? "";
  const present = container.open(step);
  if (present instanceof ObjectDraft) return present;
  intake.take({}, steps);
  const object = new ObjectDraft();
  container.put(step, object);
  return object;
}
