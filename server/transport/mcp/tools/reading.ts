/**
 * context_read, context_changes, context_history: what is there, what became different, who did it when.
 *
 * Not here: cutting (outline.ts), waiting (waiting.ts).
 */
import { z } from "zod";
import { LIMITS } from "../../../../shared/limits.ts";
import { anyJson, change, id, lock, part, patch, role, version } from "../fields.ts";
import { outlineOf } from "../outline.ts";
import { cutPatch } from "../patch-budget.ts";
import { defineTool, READS } from "../tool.ts";
import { changeOf, lockOf } from "../views.ts";

export const readContext = defineTool({
  name: "context_read",
  title: "Read a context",
  description:
    'Read a context or one part of it. Use path and depth to read only what you need: what lies deeper, or beyond max_chars, is replaced by marks such as "[object, 12 keys; read /a/b]". Returns the version, for if_version and since_version, and the locks.',
  scope: "contexts:read",
  annotations: READS,
  input: z.strictObject({
    id,
    path: part,
    depth: z.int().min(0).max(LIMITS.depthMax).default(LIMITS.depthMax).describe("Levels to unfold"),
    max_chars: z
      .int()
      .min(LIMITS.mcpReadCharsMin)
      .max(LIMITS.mcpReadCharsMax)
      .default(LIMITS.mcpReadCharsDefault)
      .describe(`Budget for data, up to ${LIMITS.mcpReadCharsMax}`),
    version: version.optional().describe("As it was at this version"),
  }),
  output: z.object({
    id: z.string(),
    name: z.string().optional(),
    version,
    path: z.string(),
    data: anyJson,
    truncated: z.boolean(),
    updated_at: z.string(),
    your_role: role.optional(),
    locks: z.array(lock),
  }),
  run: async ({ contexts }, { id: contextId, path, depth, max_chars: chars, version: past }) => {
    const [context, locks] = await Promise.all([
      contexts.read(contextId, { path, ...(past === undefined ? {} : { version: past }) }),
      contexts.locks(contextId),
    ]);
    const { value, isWhole } = outlineOf(context.data, path, { depth, chars });
    return {
      id: context.id,
      ...(context.name === undefined ? {} : { name: context.name }),
      version: context.version,
      path,
      data: value,
      truncated: !isWhole,
      updated_at: context.updatedAt,
      ...(context.yourRole === undefined ? {} : { your_role: context.yourRole }),
      locks: locks.map((one) => lockOf(one, contexts.self.actor)),
    };
  },
});

export const readChanges = defineTool({
  name: "context_changes",
  title: "Changes since a version",
  description:
    "What changed since a version you have already read, as an RFC 6902 patch, with who, when and why. Cheaper than reading again.",
  scope: "contexts:read",
  isHeavy: true,
  annotations: READS,
  input: z.strictObject({ id, since_version: version, path: part }),
  output: z.object({
    id: z.string(),
    since_version: version,
    version,
    patch,
    truncated: z.boolean(),
    history: z.array(change),
  }),
  run: async ({ contexts }, { id: contextId, since_version: since, path }) => {
    const { to, changes } = await contexts.diff(contextId, { from: since, path });
    const list = await contexts.changes(contextId, { since, path, limit: LIMITS.mcpHistoryLimitMax });
    const cut = cutPatch(changes);
    return {
      id: contextId,
      since_version: since,
      version: to,
      ...cut,
      history: list.changes.filter((one) => one.version <= to).map(changeOf),
    };
  },
});

export const readHistory = defineTool({
  name: "context_history",
  title: "Version history",
  description: "The changes of a context, newest first: version, time, author, message and touched paths.",
  scope: "contexts:read",
  annotations: READS,
  input: z.strictObject({
    id,
    limit: z.int().min(1).max(LIMITS.mcpHistoryLimitMax).default(LIMITS.mcpHistoryLimitDefault),
  }),
  output: z.object({ id: z.string(), history: z.array(change) }),
  run: async ({ contexts }, { id: contextId, limit }) => {
    const { changes } = await contexts.changes(contextId, { newestFirst: true, limit });
    return { id: contextId, history: changes.map(changeOf) };
  },
});
