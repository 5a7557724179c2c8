/**
 * context_lock, context_unlock, context_status: leases on paths, and what one holds.
 *
 * Not here: who gets a lock (server/use-cases/locks.ts).
 */
import { z } from "zod";
import { SCOPES } from "../../../../shared/permission.ts";
import { ServiceError, toServiceError } from "../../../../shared/errors.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import type { LockView } from "../../../../shared/protocol/rest-locks.ts";
import type { Contexts } from "../contexts.ts";
import { id, lock, lockToken, part } from "../fields.ts";
import { parseLockTokens } from "../lock-tokens.ts";
import { defineTool, READS, WRITES } from "../tool.ts";
import { lockOf } from "../views.ts";
import { saying } from "../progress.ts";

const SECOND_MS = 1000;

export const lockPath = defineTool({
  name: "context_lock",
  title: "Lock a part of a context",
  description:
    "Take, or with lock_token renew, an exclusive lease on a path and everything below it: nobody else can write there. It ends by itself after ttl_seconds, so a crashed agent never blocks others. wait_seconds waits in line while somebody else holds it.",
  scope: "contexts:write",
  annotations: WRITES,
  input: z.strictObject({
    id,
    path: part,
    ttl_seconds: z
      .int()
      .min(LIMITS.lockTtlMsMin / SECOND_MS)
      .max(LIMITS.lockTtlMsMax / SECOND_MS)
      .default(LIMITS.mcpLockSecondsDefault)
      .describe(`Up to ${LIMITS.lockTtlMsMax / SECOND_MS}`),
    wait_seconds: z.int().min(0).max(LIMITS.mcpWaitSecondsMax).default(0).describe(`Up to ${LIMITS.mcpWaitSecondsMax}`),
    purpose: z.string().min(1).max(LIMITS.lockPurposeCharsMax).optional().describe("Others see it"),
    lock_token: lockToken.optional().describe("Renew this lock of yours; path is then its own"),
  }),
  output: lock.extend({ id: z.string() }),
  run: async (call, { id: contextId, path, ttl_seconds, wait_seconds, purpose, lock_token }) => {
    const { contexts, signal } = call;
    const ttlMs = ttl_seconds * SECOND_MS;
    const taken =
      lock_token === undefined
        ? contexts.acquireLock(contextId, {
            path,
            ttlMs,
            waitMs: wait_seconds * SECOND_MS,
            ...(purpose === undefined ? {} : { purpose }),
            signal,
          })
        : renewed(contexts, contextId, { token: lock_token, ttlMs });
    return { id: contextId, ...lockOf(await saying(call, "waiting for the lock", taken), contexts.self.actor) };
  },
});

export const unlock = defineTool({
  name: "context_unlock",
  title: "Release a lock",
  description: "Release a lock that you hold. released:false says why there was nothing to release.",
  scope: "contexts:write",
  annotations: { ...WRITES, idempotentHint: true },
  input: z.strictObject({ id, lock_token: lockToken }),
  output: z.object({ id: z.string(), released: z.boolean(), reason: z.string().optional() }),
  run: async ({ contexts }, { id: contextId, lock_token }) => {
    try {
      const held = await ownLocks(contexts, contextId, lock_token);
      for (const { lockId } of held) await contexts.releaseLock(contextId, lockId);
      return { id: contextId, released: true };
    } catch (error) {
      const { code, message } = toServiceError(error);
      if (code !== "LOCK_NOT_FOUND") throw error;
      return { id: contextId, released: false, reason: message };
    }
  },
});

export const status = defineTool({
  name: "context_status",
  title: "Who am I, what do I hold",
  description:
    "Who you are here, what you may do, and the locks you hold with their lock_token: for when your own notes were lost.",
  scope: "contexts:read",
  annotations: READS,
  input: z.strictObject({}),
  output: z.object({
    you: z.string(),
    scopes: z.array(z.enum(SCOPES)),
    your_locks: z.array(lock.extend({ id: z.string() })),
  }),
  run: async ({ contexts }) => {
    const { actor, scopes } = contexts.self;
    const held = await contexts.heldLocks();
    return {
      you: actor,
      scopes: [...scopes],
      your_locks: held.map(({ contextId, ...one }) => ({ id: contextId, ...lockOf(one, actor) })),
    };
  },
});

async function renewed(
  contexts: Contexts,
  contextId: string,
  { token, ttlMs }: { readonly token: string; readonly ttlMs: number },
): Promise<LockView> {
  const [held, ...others] = await ownLocks(contexts, contextId, token);
  if (held === undefined || others.length > 0)
    throw new ServiceError("INVALID_REQUEST", "One call renews one lock. Pass the lock_token of one of them.");
  return contexts.renewLock(contextId, held.lockId, ttlMs);
}

/** @throws {ServiceError} LOCK_NOT_FOUND, INVALID_REQUEST */
async function ownLocks(contexts: Contexts, contextId: string, token: string): Promise<readonly LockView[]> {
  const tokens = parseLockTokens(token);
  const locks = await contexts.locks(contextId);
  return tokens.map((one) => {
    const lockOfToken = locks.find(({ fencingToken }) => fencingToken === one);
    if (lockOfToken?.holder === contexts.self.actor) return lockOfToken;
    throw new ServiceError(
      "LOCK_NOT_FOUND",
      `You hold no lock with the token ${one}: it was released, or its time is over.`,
    );
  });
}
