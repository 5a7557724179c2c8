/** Deletion of many records, in steps that are small beside the traffic. */
import type { LogCore } from "./log-core.ts";
import * as keys from "./log-keys.ts";
import { keysOf } from "./log-reader.ts";

/** Keys read and deleted in one step. */
export const DELETE_STEP = 1000;

export async function deleteKeys(core: Pick<LogCore, "write">, found: readonly Uint8Array[]): Promise<void> {
  if (found.length === 0) return;
  const ops = found.map((key) => ({ type: "del", key }) as const);
  await core.write(ops, { entries: found.length, bytes: 0 });
}

/** What a removed context left; a crash in between is made up for by the next open. */
export async function purge(core: Pick<LogCore, "view" | "write">, number: number): Promise<void> {
  for (const range of keys.ownedBy(number)) {
    let found: readonly Uint8Array[];
    do {
      found = await core.view((view) => keysOf(view, { ...range, limit: DELETE_STEP }));
      await deleteKeys(core, found);
    } while (found.length > 0);
  }
  await deleteKeys(core, [keys.purgeKey(number)]);
}
