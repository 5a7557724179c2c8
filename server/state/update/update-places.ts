/**
 * Where an update writes, as far as the document tells at once: for whoever looks on, and decides nothing.
 *
 * Invariants (TAP):
 *  1. The document is only read, and no more than so many structs and deletes of the update are looked up in it.
 *  2. What was applied already and what was not are found alike; content that refers to what the document lacks has no place.
 *
 * Not here: judging an update, and all that it touches (touched-paths.ts).
 */
import * as Y from "yjs";
import { LIMITS } from "../../../shared/limits.ts";
import { coverOf } from "../path-cover.ts";
import { TypePlaces, pathOf } from "./type-places.ts";
import type { ScannedId, ScannedStruct, ScannedUpdate } from "./update-scanner.ts";

const LOOKUPS_MAX = 256;

/** JSON Pointers, as those of a Touch: none below another, sorted. */
export function placesOf(doc: Y.Doc, { structs, deletes }: ScannedUpdate): readonly string[] {
  const places = new TypePlaces(doc);
  const paths = new Set<string>();
  for (const struct of structs.slice(0, LOOKUPS_MAX)) {
    const path = placeOf(doc, places, struct);
    if (path !== undefined) paths.add(path);
  }
  for (const range of deletes.slice(0, LOOKUPS_MAX)) {
    const item = itemAt(doc, range);
    if (item !== undefined) paths.add(pathOf(places.spotOf(item)));
  }
  return coverOf(paths, LIMITS.touchedPathsMax);
}

function placeOf(doc: Y.Doc, places: TypePlaces, struct: ScannedStruct): string | undefined {
  const { origin, rightOrigin, parentRoot, parentId, key } = struct;
  const item = itemAt(doc, struct) ?? itemAt(doc, origin) ?? itemAt(doc, rightOrigin);
  if (item !== undefined) return pathOf(places.spotOf(item));
  if (parentRoot !== null) return pathOf({ place: places.root(parentRoot), key });
  const parent = itemAt(doc, parentId)?.content;
  return parent instanceof Y.ContentType ? pathOf({ place: places.of(parent.type), key }) : undefined;
}

/** Undefined for what the document lacks, and for what it has collected. */
function itemAt(doc: Y.Doc, id: ScannedId | null): Y.Item | undefined {
  if (id === null || id.clock >= Y.getState(doc.store, id.client)) return undefined;
  const structs = doc.store.clients.get(id.client);
  const found = structs?.[Y.findIndexSS(structs, id.clock)];
  // of a collected type the children stay as items without a parent
  return found instanceof Y.Item && found.parent instanceof Y.AbstractType ? found : undefined;
}
