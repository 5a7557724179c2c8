/**
 * context_restore, context_share, context_delete.
 */
import { z } from "zod";
import { ServiceError } from "../../../../shared/errors.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import { ROLES } from "../../../../shared/permission.ts";
import { actorName } from "../../../../shared/protocol/rest-access.ts";
import { id, lockToken, message, part, path, role, version } from "../fields.ts";
import { lockTokensOf } from "../lock-tokens.ts";
import { defineTool, WRITES } from "../tool.ts";

export const restoreContext = defineTool({
  name: "context_restore",
  title: "Restore an older version",
  description:
    "Make a context, or the part at path, what it was at an older version. That is a change of its own: nothing is erased from the history, and what others write elsewhere meanwhile stays.",
  scope: "contexts:write",
  isHeavy: true,
  annotations: WRITES,
  input: z.strictObject({
    id,
    version,
    path: part,
    lock_token: lockToken.optional(),
    message: message.optional(),
  }),
  output: z.object({ id: z.string(), version }),
  run: async ({ contexts }, { id: contextId, version: past, path: place, lock_token, message: why }) => {
    const outcome = await contexts.restore(contextId, {
      version: past,
      path: place,
      ...lockTokensOf(lock_token),
      ...(why === undefined ? {} : { message: why }),
    });
    return { id: contextId, version: outcome.version };
  },
});

export const shareContext = defineTool({
  name: "context_share",
  title: "Share a context",
  description:
    'Grant or take away access, as an admin of the context. principal "*" is everybody. Once a context is shared with somebody, whoever is granted nothing has no access to it.',
  scope: "contexts:admin",
  annotations: { ...WRITES, idempotentHint: true },
  input: z.strictObject({
    id,
    grants: z
      .array(
        z.strictObject({
          principal: actorName,
          role: z.enum([...ROLES, "none"]).describe("In place of what it had; none takes it away"),
          paths: z.array(path).min(1).max(LIMITS.grantPathsMax).optional().describe("Where a writer may write"),
        }),
      )
      .min(1)
      .max(LIMITS.aclGrantsMax),
  }),
  output: z.object({
    id: z.string(),
    acl: z.array(z.object({ principal: z.string(), role, paths: z.array(z.string()).optional() })),
  }),
  run: async ({ contexts }, { id: contextId, grants }) => {
    const changes = grants.map(({ paths, ...grant }) => ({ ...grant, ...(paths === undefined ? {} : { paths }) }));
    return { id: contextId, acl: (await contexts.share(contextId, changes)).grants };
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
