/**
 * Finds damage in a sorted table of LevelDB, which LevelDB notices only when it happens to read the place.
 *
 * Not here: the format (level-table.ts).
 */
import { blockAt, blocksOf, layoutOf } from "./level-table.ts";

/** What is wrong, as a clause; undefined when nothing is. `isDeep` reads the data too, not only the index. */
export function findTableDamage(file: Buffer, isDeep: boolean): string | undefined {
  try {
    const layout = layoutOf(file);
    const blocks = blocksOf(file, layout);
    blockAt(file, layout.metaIndex);
    if (isDeep) for (const { handle } of blocks) blockAt(file, handle);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : "cannot be read";
  }
}
