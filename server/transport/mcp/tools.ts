/**
 * The tools, in the order in which hosts see them.
 */
import { createContext, updateContext } from "./tools/changing.ts";
import { findContexts } from "./tools/finding.ts";
import { lockPath, status, unlock } from "./tools/locking.ts";
import { readChanges, readContext, readHistory } from "./tools/reading.ts";
import { deleteContext, restoreContext, shareContext } from "./tools/keeping.ts";
import { waitForChanges } from "./tools/waiting.ts";
import type { Tool } from "./tool.ts";

export const TOOLS: readonly Tool[] = [
  findContexts,
  readContext,
  readChanges,
  waitForChanges,
  readHistory,
  status,
  createContext,
  updateContext,
  lockPath,
  unlock,
  restoreContext,
  shareContext,
  deleteContext,
];

/** What most agents need; the others cost the model tokens. */
const CORE = new Set<Tool>([
  findContexts,
  readContext,
  waitForChanges,
  status,
  createContext,
  updateContext,
  lockPath,
  unlock,
]);

export const TOOLSETS = ["all", "core"] as const;
export type Toolset = (typeof TOOLSETS)[number];

export function toolsOf(toolset: Toolset): readonly Tool[] {
  return toolset === "all" ? TOOLS : TOOLS.filter((tool) => CORE.has(tool));
}
