/**
 * The first content of a context's document, from JSON.
 *
 * Not here: reading it back (shared/read-data.ts), changes (json-changes.ts).
 */
import type * as Y from "yjs";
import type { JsonObject } from "../../../shared/json.ts";
import { DATA_ROOT } from "../../../shared/path.ts";
import { sharedValueOf } from "./draft-commit.ts";
import { invalid } from "./json-checks.ts";
import { ObjectDraft } from "./json-draft.ts";
import { ValueIntake } from "./value-intake.ts";

/**
 * Fills an empty document. Objects become Y.Map, arrays Y.Array, `{"$text": "…"}` a Y.Text; other values stay.
 * @throws {ServiceError} INVALID_CHANGE with the place in `details.path`, TOO_LARGE; the document is untouched then
 */
export function writeInitialData(doc: Y.Doc, data: JsonObject): void {
  const draft = new ValueIntake().take(data, [DATA_ROOT]);
  if (!(draft instanceof ObjectDraft)) throw invalid('The data of a context is an object, such as {"tasks": {}}.');
  const root = doc.getMap(DATA_ROOT);
  doc.transact(() => {
    for (const [key, member] of draft.entries()) root.set(key, sharedValueOf(member));
  });
}
