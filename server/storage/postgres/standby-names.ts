/**
 * What `synchronous_standby_names` says: how many standbys a commit waits for, and which may be among them.
 *
 *   a, b · 2 (a, b) · FIRST 2 (a, b) · ANY 1 ("a-1", *)
 */
export interface StandbyNames {
  readonly needed: number;
  /** In small letters; `*` stands for any. */
  readonly names: readonly string[];
}

const COUNTED = /^\s*(?:(?:first|any)\s+)?(\d+)\s*\((.*)\)\s*$/is;
const NAME = /"((?:[^"]|"")*)"|[^\s,"]+/g;

export function parseStandbyNames(text: string): StandbyNames {
  const [, count = "1", list = text] = COUNTED.exec(text) ?? [];
  const names = Array.from(list.matchAll(NAME), ([whole, quoted]) =>
    (quoted?.replaceAll('""', '"') ?? whole).toLowerCase(),
  );
  return { needed: names.length === 0 ? 0 : Number(count), names };
}
