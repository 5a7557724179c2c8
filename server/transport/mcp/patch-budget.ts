/**
 * A patch cut to the budget of a read: whole operations, from the first on.
 */
import type { z } from "zod";
import type { JsonOp } from "../../../shared/change.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { patch } from "./fields.ts";
import { outlineOf } from "./outline.ts";

interface CutPatch {
  readonly patch: z.input<typeof patch>;
  /** Operations or parts of values are missing: read the places instead. */
  readonly truncated: boolean;
}

export function cutPatch(changes: readonly JsonOp[], charsMax: number = LIMITS.mcpReadCharsDefault): CutPatch {
  const kept: z.input<typeof patch> = [];
  let left = charsMax;
  let truncated = false;
  for (const op of changes) {
    if (left <= 0) return { patch: kept, truncated: true };
    const cut = "value" in op ? outlineOf(op.value, op.path, { depth: LIMITS.depthMax, chars: left }) : undefined;
    const shown = cut === undefined ? { ...op } : { ...op, value: cut.value };
    truncated ||= cut?.isWhole === false;
    kept.push(shown);
    left -= JSON.stringify(shown).length;
  }
  return { patch: kept, truncated };
}
