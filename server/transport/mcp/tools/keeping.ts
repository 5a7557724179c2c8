/**
 * context_restore and context_delete.
 */
import { z } from "zod";
import { ServiceError } from "../../../../shared/errors.ts";
import { id, lockToken, message, part, version } from "../fields.ts";
import { lockTokensOf } from "../lock-tokens.ts";
import { defineTool, WRITES } from "../tool.ts";

export const restoreContext = defineTool({
  name: "context_restore",
  title: "Restore an older version",
  description:
    "Make a context, or the part at path, what it was at an older version. That is a change of its own: nothing is erased from the history, and what others write elsewhere meanwhile stays.",
  scope: "contexts:write",
  annotations: WRITES,
  input: z.strictObject({
    id,
    version,
    path: part,
    lock_token: lockToken.optional(),
    message: message.optional(),
  }),
  output: z.object({ id: z.string(), version }),
  run: async ({ contexts }, { id: contextId, version: past, path, lock_token, message: why }) => {
    const outcome = await contexts.restore(contextId, {
      version: past,
      path,
      ...lockTokensOf(lock_token),
      ...(why === undefined ? {} : { message: why }),
    });
    return { id: contextId, version: outcome.version };
  },
});

export const deleteContext = defineTool({
  name: "context_delete",
  title: "Delete a context",
  description: "Delete a context with its history, for everyone. Only when the user asked for it.",
  scope: "contexts:admin",
  annotations: { ...WRITES, destructiveHint: true, idempotentHint: true },
  input: z.strictObject({ id, confirm: z.string().describe("The id again") }),
  output: z.object({ id: z.string(), deleted: z.boolean() }),
  run: async ({ contexts }, { id: contextId, confirm }) => {
    if (confirm !== contextId)
      throw new ServiceError("INVALID_REQUEST", "confirm must repeat the id. Nothing was deleted.");
    await contexts.delete(contextId);
    return { id: contextId, deleted: true };
  },
});
